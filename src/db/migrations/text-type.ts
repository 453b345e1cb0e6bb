import { type RawBuilder, sql } from 'kysely';
import type { DialectName } from '../statement.js';

/** Sorted and compared by code point, whatever the database's locale. */
export const TEXT: Readonly<Record<DialectName, RawBuilder<unknown>>> = {
  sqlite: sql`text`,
  postgres: sql`text collate "C"`,
};
