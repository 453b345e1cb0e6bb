import type { Command } from 'commander';

/** Shells that a script can be made for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** A script that lets the shell complete commands and options. */
export function completionFor(shell: Shell, root: Command): string {
  const entries = entriesOf(root);
  switch (shell) {
    case 'bash':
      return bash(entries);
    case 'zsh':
      return `autoload -U +X bashcompinit && bashcompinit\n${bash(entries)}`;
    case 'fish':
      return fish(entries);
  }
}

interface Entry {
  /** Names of the commands that lead here, e.g. `volume type`. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly about: string }[];
}

function entriesOf(command: Command, names: readonly string[] = []): Entry[] {
  const { visibleCommands, visibleOptions } = visibleOf(command);
  const words = [
    ...visibleCommands.map((each) => ({ word: each.name(), about: each.description() })),
    ...visibleOptions.flatMap(({ long, description }) => (long ? [{ word: long, about: description }] : [])),
  ];
  const below = visibleCommands.filter((each) => each.name() !== 'help');
  return [{ path: names.join(' '), words }, ...below.flatMap((each) => entriesOf(each, [...names, each.name()]))];
}

function visibleOf(command: Command): {
  readonly visibleCommands: readonly Command[];
  readonly visibleOptions: readonly Command['options'][number][];
} {
  const help = command.createHelp();
  return { visibleCommands: help.visibleCommands(command), visibleOptions: help.visibleOptions(command) };
}

/** Words that are no options are taken as the path to a command for as long as they lead to one. */
function bash(entries: readonly Entry[]): string {
  const cases = entries.map(({ path, words }) => `    '${path}') echo '${words.map(({ word }) => word).join(' ')}' ;;`);
  return `# cinder-grpc completion: source it
_cinder_grpc_words() {
  case "$1" in
${cases.join('\n')}
    *) return 1 ;;
  esac
}
_cinder_grpc() {
  local path='' word next
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    _cinder_grpc_words "$next" >/dev/null && path="$next"
  done
  COMPREPLY=($(compgen -W "$(_cinder_grpc_words "$path")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _cinder_grpc cinder-grpc
`;
}

function fish(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ path, words }) =>
    words.map(({ word, about }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c cinder-grpc -n '__cinder_grpc_at "${path}"' ${what} -d '${quoted(about)}'`;
    }),
  );
  const paths = entries.map(({ path }) => `'${path}'`).join(' ');
  return `# cinder-grpc completion
function __cinder_grpc_at
    set -l path ''
    for word in (commandline -opc)[2..-1]
        set -l next (string trim -- "$path $word")
        contains -- "$next" ${paths}; and set path "$next"
    end
    test "$path" = "$argv[1]"
end
${lines.join('\n')}
`;
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
}
