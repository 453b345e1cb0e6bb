// Deadlines are no matter of Redis: ask ../time. This goes when the receiver of casts, the last to ask here, does so.
export { deadlineIn, pause } from '../time/deadline.js';
