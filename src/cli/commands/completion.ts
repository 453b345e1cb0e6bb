import { Argument, type Command } from 'commander';

import { SHELLS, completionFor, type Shell } from '../completion-script.js';
import type { AddTo } from '../context.js';

/** Makes `completion`: a script for a shell, made from the commands as they are. */
export const addCompletionCommand: AddTo = (command: Command, { tree, print }) => {
  command
    .addArgument(new Argument('<shell>', 'which').choices(SHELLS))
    .addHelpText(
      'after',
      [
        '\nExamples:',
        '  source <(cinder-grpc completion bash)                                     in ~/.bashrc',
        '  source <(cinder-grpc completion zsh)                                      in ~/.zshrc, after compinit',
        '  cinder-grpc completion fish > ~/.config/fish/completions/cinder-grpc.fish  once',
      ].join('\n'),
    )
    .action(async (shell: Shell) => print(completionFor(shell, await tree())));
};
