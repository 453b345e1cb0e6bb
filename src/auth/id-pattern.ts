/** What an id of a project, a user or a role may look like. */
export const ID_PATTERN = /^[A-Za-z0-9._:-]{1,255}$/;
