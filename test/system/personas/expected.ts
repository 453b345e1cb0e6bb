/** The five personas, in the order of the columns below. */
export const PERSONAS = ['reader', 'member', 'admin', 'systemReader', 'systemAdmin'] as const;

export type Persona = (typeof PERSONAS)[number];

/** Whose thing a request is about: of the persona's own project or of nobody, or of another project. */
export const OWNERS = ['own', 'foreign'] as const;

export type Owner = (typeof OWNERS)[number];

/**
 * Who may do what: every public RPC has a line, reviewed like code, and another one where its request can be about another
 * project's thing. The personas of a project act in `home`; those of the system act in none, so that both lines agree.
 *
 * `yes`: it is done. `no`: the policy denies it. `hidden`: the thing does not exist for the caller. `scope`: it needs a
 * project, and the caller has the system's scope.
 */
const TABLE = `
                                                  reader  member  admin  systemReader  systemAdmin
AvailabilityZones/ListAvailabilityZones  own      yes     yes     yes    yes           yes

Diagnostics/Diagnose                     own      no      no      yes    yes           yes
Diagnostics/Repair                       own      no      no      yes    no            yes

Messages/ListMessages                    own      yes     yes     yes    scope         scope
Messages/GetMessage                      own      yes     yes     yes    yes           yes
Messages/GetMessage                      foreign  hidden  hidden  yes    yes           yes
Messages/DeleteMessage                   own      no      yes     yes    no            yes
Messages/DeleteMessage                   foreign  no      hidden  yes    no            yes

Pools/ListPools                          own      no      no      yes    yes           yes
Pools/ExplainPlacement                   own      no      no      yes    no            scope

Quotas/GetQuotaSet                       own      yes     yes     yes    yes           yes
Quotas/GetQuotaSet                       foreign  no      no      yes    yes           yes
Quotas/UpdateQuotaSet                    own      no      no      yes    no            yes
Quotas/UpdateQuotaSet                    foreign  no      no      yes    no            yes
Quotas/GetDefaultQuotaSet                own      yes     yes     yes    yes           yes
Quotas/DeleteQuotaSet                    own      no      no      yes    no            yes
Quotas/DeleteQuotaSet                    foreign  no      no      yes    no            yes
Quotas/CheckQuotas                       own      no      no      yes    no            yes
Quotas/CheckQuotas                       foreign  no      no      yes    no            yes
Quotas/SyncQuotas                        own      no      no      yes    no            yes
Quotas/SyncQuotas                        foreign  no      no      yes    no            yes
Quotas/ExplainUsage                      own      yes     yes     yes    yes           yes
Quotas/ExplainUsage                      foreign  no      no      yes    yes           yes
Quotas/GetQuotaClassSet                  own      no      no      yes    yes           yes
Quotas/UpdateQuotaClassSet               own      no      no      yes    no            yes

Services/ListServices                    own      no      no      yes    yes           yes
Services/ExplainVersionCap               own      no      no      yes    yes           yes
Services/EnableService                   own      no      no      yes    no            yes
Services/DisableService                  own      no      no      yes    no            yes
Services/SetLogLevels                    own      no      no      yes    no            yes
Services/GetLogLevels                    own      no      no      yes    no            yes

VolumeTypes/CreateVolumeType             own      no      no      yes    no            yes
VolumeTypes/GetVolumeType                own      yes     yes     yes    yes           yes
VolumeTypes/GetVolumeType                foreign  hidden  hidden  yes    yes           yes
VolumeTypes/ListVolumeTypes              own      yes     yes     yes    yes           yes
VolumeTypes/UpdateVolumeType             own      no      no      yes    no            yes
VolumeTypes/DeleteVolumeType             own      no      no      yes    no            yes
VolumeTypes/SetVolumeTypeExtraSpecs      own      no      no      yes    no            yes
VolumeTypes/DeleteVolumeTypeExtraSpecs   own      no      no      yes    no            yes
VolumeTypes/AddVolumeTypeAccess          own      no      no      yes    no            yes
VolumeTypes/AddVolumeTypeAccess          foreign  no      no      yes    no            yes
VolumeTypes/RemoveVolumeTypeAccess       own      no      no      yes    no            yes
VolumeTypes/RemoveVolumeTypeAccess       foreign  no      no      yes    no            yes
VolumeTypes/ListVolumeTypeAccess         own      no      no      yes    yes           yes
VolumeTypes/GetDefaultVolumeType         own      yes     yes     yes    yes           yes
VolumeTypes/GetDefaultVolumeType         foreign  no      no      yes    yes           yes
VolumeTypes/SetDefaultVolumeType         own      no      no      yes    no            yes
VolumeTypes/SetDefaultVolumeType         foreign  no      no      yes    no            yes
VolumeTypes/UnsetDefaultVolumeType       own      no      no      yes    no            yes
VolumeTypes/UnsetDefaultVolumeType       foreign  no      no      yes    no            yes

Volumes/CreateVolume                     own      no      yes     yes    no            scope
Volumes/GetVolume                        own      yes     yes     yes    yes           yes
Volumes/GetVolume                        foreign  hidden  hidden  yes    yes           yes
Volumes/ListVolumes                      own      yes     yes     yes    scope         scope
Volumes/ListVolumes                      foreign  no      no      yes    yes           yes
Volumes/SummarizeVolumes                 own      yes     yes     yes    scope         scope
Volumes/SummarizeVolumes                 foreign  no      no      yes    yes           yes
Volumes/UpdateVolume                     own      no      yes     yes    no            yes
Volumes/UpdateVolume                     foreign  no      hidden  yes    no            yes
Volumes/SetVolumeMetadata                own      no      yes     yes    no            yes
Volumes/SetVolumeMetadata                foreign  no      hidden  yes    no            yes
Volumes/DeleteVolumeMetadata             own      no      yes     yes    no            yes
Volumes/DeleteVolumeMetadata             foreign  no      hidden  yes    no            yes
Volumes/ResetVolumeStatus                own      no      no      yes    no            yes
Volumes/ResetVolumeStatus                foreign  no      no      yes    no            yes
Volumes/DeleteVolume                     own      no      yes     yes    no            yes
Volumes/DeleteVolume                     foreign  no      hidden  yes    no            yes
Volumes/WatchVolumes                     own      yes     yes     yes    scope         scope

Workers/CleanupWorkers                   own      no      no      yes    no            yes
`;

/** How a request ends. */
export type Ending = 'yes' | 'no' | 'hidden' | 'scope';

/** The lines of the table: by RPC and owner, what each persona gets. */
export const EXPECTED: readonly {
  readonly rpc: string;
  readonly owner: Owner;
  readonly endings: Readonly<Record<Persona, Ending>>;
}[] = TABLE.trim()
  .split('\n')
  .slice(1)
  .filter((line) => line !== '')
  .map((line) => {
    const [rpc = '', owner, ...endings] = line.split(/ +/);
    const each = PERSONAS.map((persona, index) => [persona, endings[index]] as const);
    return { rpc, owner: owner as Owner, endings: Object.fromEntries(each) as Record<Persona, Ending> };
  });
