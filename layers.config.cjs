/**
 * Who may import whom. Read it from top to bottom: a folder may import its own files and every folder below it.
 * The three services never import one another; they meet in proto/.
 */
const LAYERS = [
  ['cli'],
  ['client'],
  ['main'],
  ['api', 'scheduler', 'volume'],
  ['doctor'],
  ['quota', 'casts', 'events', 'drivers', 'auth'],
  ['rpc'],
  ['flow', 'db', 'redis', 'objects'],
  ['errors', 'config', 'log', 'telemetry', 'time'],
  ['gen'],
];

const path = (folders) => `^src/(${folders.join('|')})/`;

const upwards = LAYERS.flatMap((layer, depth) => {
  const above = LAYERS.slice(0, depth).flat();
  return above.length === 0
    ? []
    : [
        {
          name: `${layer.join('-')}-imports-upwards`,
          comment: 'Imports point down only.',
          severity: 'error',
          from: { path: path(layer) },
          to: { path: path(above) },
        },
      ];
});

module.exports = {
  forbidden: [
    ...upwards,
    ...['api', 'scheduler', 'volume'].map((service) => ({
      name: `${service}-imports-a-service`,
      comment: 'The three services meet only through proto/.',
      severity: 'error',
      from: { path: path([service]) },
      to: { path: path(['api', 'scheduler', 'volume'].filter((other) => other !== service)) },
    })),
    {
      name: 'client-brings-a-server',
      comment: 'What is published as cinder-grpc/client loads no service, no store and no configuration.',
      severity: 'error',
      from: { path: path(['client']) },
      to: { path: '^src/', pathNot: path(['client', 'rpc', 'objects', 'errors', 'gen']), reachable: true },
    },
    {
      name: 'no-grpc-below-rpc',
      comment: 'Flows, records and domain types know no gRPC.',
      severity: 'error',
      from: { path: path(['flow', 'db', 'redis', 'objects', 'errors', 'config', 'log', 'time']) },
      to: { path: '(@grpc/grpc-js|^src/gen/)' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
