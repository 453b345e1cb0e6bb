import type { Api } from './api.js';
import { PAGE_SIZE, pagesOf } from './pages.js';
import { CommandError } from './parts.js';
import { printable } from './printable.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const MOST_TOLD = 10;

/** The id of the volume that a user names by its id or its name. Throws CommandError when a name fits none or several. */
export async function volumeIdOf({ client, call }: Api, nameOrId: string): Promise<string> {
  if (UUID.test(nameOrId)) return nameOrId.toLowerCase();
  const request = { filter: { name: nameOrId }, pageSize: MOST_TOLD + 1 };
  const { volumes } = await client.volumes.listVolumes(request, call);
  const [only, ...others] = volumes.map(({ id }) => id);
  const name = printable(nameOrId);
  if (only === undefined) throw new CommandError(`There is no volume with the name or id '${name}'.`);
  if (others.length === 0) return only;
  const told = [only, ...others].slice(0, MOST_TOLD);
  const more = others.length >= MOST_TOLD ? ', …' : '';
  throw new CommandError(
    `There is more than one volume named '${name}'; give the id: ${told.map(printable).join(', ')}${more}`,
  );
}

/** The name of a volume type, or its id where the caller may not see the type. */
export async function typeNameOf({ client, call }: Api, typeId: string): Promise<string> {
  try {
    const { volumeType } = await client.volumeTypes.getVolumeType({ volumeType: typeId }, call);
    return volumeType?.name ?? typeId;
  } catch (error) {
    if (call.signal.aborted) throw error;
    return typeId;
  }
}

/** The names of all types that the caller sees; any other id stands for itself. */
export async function typeNames({ client, call }: Api): Promise<(typeId: string) => string> {
  const names = new Map<string, string>();
  try {
    const pages = pagesOf((pageToken) => client.volumeTypes.listVolumeTypes({ pageSize: PAGE_SIZE, pageToken }, call));
    for await (const { volumeTypes } of pages) for (const { id, name } of volumeTypes) names.set(id, name);
  } catch (error) {
    if (call.signal.aborted) throw error;
  }
  return (typeId) => names.get(typeId) ?? typeId;
}
