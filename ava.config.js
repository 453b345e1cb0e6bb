export default {
  files: ['build/test/**/*.test.js', '!build/test/alone/**'],
  workerThreads: false,
  concurrency: 2,
  timeout: '120s',
  nodeArguments: ['--enable-source-maps'],
};
