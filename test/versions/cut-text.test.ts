import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ROOT } from '#scripts/prepare.mjs';
import { protoView } from '../../scripts/proto-view.js';
import { levelsFrom } from '../../scripts/versions/levels.js';
import { builtWithPlaces, type Sources } from '../../scripts/versions/sources.js';
import { folderFor } from '../support/folder.js';

test('nested messages, oneofs, imports and comments go with what used them, and nothing else does', async (t) => {
  const text = protoView(await sourcesOf(t, BEFORE), levelsFrom('b=3.1,objects=1.39'));
  t.is(text.get('cinder/test/v3/b.proto'), AFTER);
});

test('what goes must not share its line with what stays', async (t) => {
  const crowded = BEFORE.replace(
    'int32 kept = 1;',
    'int32 kept = 1; int32 crowded = 20 [(cinder.rpc.v1.since) = "3.2"];',
  );
  const found = await sourcesOf(t, crowded);
  t.throws(() => protoView(found, levelsFrom('b=3.1')), {
    message: /^cinder\/test\/v3\/b\.proto:\d+: what goes shares/,
  });
});

/** The protos of a test's own, beside our options. */
async function sourcesOf(t: ExecutionContext, text: string): Promise<Sources> {
  const folder = await folderFor(t);
  const name = 'cinder/test/v3/b.proto';
  const options = 'cinder/rpc/v1/options.proto';
  for (const [file, content] of [
    [name, text],
    [options, await readFile(join(ROOT, 'proto', options), 'utf8')],
  ] as const) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), content);
  }
  const registry = await builtWithPlaces(folder);
  const desc = registry.getFile(name);
  if (!desc) throw new Error('the proto is not there');
  return { registry, files: [{ name, desc, text }] };
}

const BEFORE = `syntax = "proto3";

// A test's own.
package cinder.test.v3;

import "cinder/rpc/v1/options.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";

// Serves.
service B {
  option (cinder.rpc.v1.api) = {binary: "b" version: "3.2" baseline: "3.0"};

  // Old.
  rpc Old(OldRequest) returns (Answer) {
    option (cinder.rpc.v1.method) = {kind: KIND_CALL};
  }

  // New,
  // in two lines.
  rpc New(NewRequest) returns (Answer) {
    option (cinder.rpc.v1.method) = {since: "3.2" kind: KIND_CALL};
  }
}

// Asks.
message OldRequest {
  // Stays.
  int32 kept = 1;

  // One of them.
  oneof both {
    // First.
    string first = 2;
    // Second.
    Nested second = 3 [
      (cinder.rpc.v1.since) = "3.2" // written at length
    ];
  }

  // Only new ones.
  oneof new {
    // When.
    google.protobuf.Timestamp when = 4 [(cinder.rpc.v1.since) = "3.2"];
  }
  // Nested.
  message Nested {
    // Which.
    Which which = 1;
  }

  // Of nothing else.
  enum Which {
    // None.
    WHICH_UNSPECIFIED = 0;
  }

  // Mapped.
  map<string, Answer> answers = 5; // behind it
}

// Asks anew.
message NewRequest {
  // Anything.
  google.protobuf.Struct anything = 1;
}

// Answers.
message Answer {}
`;

const AFTER = `syntax = "proto3";

// A test's own.
package cinder.test.v3;

import "cinder/rpc/v1/options.proto";

// Serves.
service B {
  option (cinder.rpc.v1.api) = {binary: "b" version: "3.1" baseline: "3.0"};

  // Old.
  rpc Old(OldRequest) returns (Answer) {
    option (cinder.rpc.v1.method) = {kind: KIND_CALL};
  }
}

// Asks.
message OldRequest {
  // Stays.
  int32 kept = 1;

  // One of them.
  oneof both {
    // First.
    string first = 2;
  }

  // Mapped.
  map<string, Answer> answers = 5; // behind it
  // Of newer versions.
  reserved 3, 4;
  reserved "second", "when";
}

// Answers.
message Answer {}
`;
