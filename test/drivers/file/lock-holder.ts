import { lockFolder } from '#src/drivers/file/folder-lock.js';

/** Run as a process of its own by `kill.test.ts`: holds the lock of a folder, says so, and waits to be killed. */
lockFolder(process.argv[2] ?? '');
process.on('message', () => undefined); // keeps it alive
process.send?.('locked');
