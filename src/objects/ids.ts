const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const PROJECT_ID = /^[A-Za-z0-9._:-]{1,255}$/;

/** Whether it is a UUID in lower case. */
export function isUuid(id: string): boolean {
  return UUID.test(id);
}

/** Whether it may be the id of a project: it names keys in Redis, where braces have a meaning. */
export function isProjectId(id: string): boolean {
  return PROJECT_ID.test(id);
}
