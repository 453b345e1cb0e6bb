import together from './ava.config.js';

/** What needs the machine for itself: whole clusters that are killed and loaded for minutes. One file after the other. */
export default { ...together, files: ['build/test/alone/**/*.test.js'], concurrency: 1 };
