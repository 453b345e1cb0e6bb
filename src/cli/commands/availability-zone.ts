import { onApi } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';

/** Adds `availability zone list`. */
export const addAvailabilityCommands: AddTo = (availability, context) => {
  availability
    .command('zone')
    .description('Availability zones')
    .command('list')
    .description('List the zones that volumes can be in')
    .addHelpText('after', examples('availability zone list'))
    .action(
      onApi(context, async (api) => {
        const { availabilityZones } = await api.client.availabilityZones.listAvailabilityZones({}, api.call);
        const rows = availabilityZones.map(({ name, available }) => ({
          'Zone Name': name,
          'Zone Status': available ? 'available' : 'not available',
        }));
        await api.printList(rows, ['Zone Name', 'Zone Status']);
      }),
    );
};
