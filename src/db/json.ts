import { type RawBuilder, sql } from 'kysely';
import type { DialectName } from './statement.js';

/** Two-column rows as JSON `[[key, value], …]`: pairs, because a key may be any text, `__proto__` too. */
export type Pairs = readonly (readonly [key: string, value: string])[];

/** A map as JSON, for `pairsIn`. */
export function toPairs(map: ReadonlyMap<string, string>): string {
  return JSON.stringify([...map]);
}

/** The map in a column that `pairsOf` made. */
export function fromPairs(json: string): ReadonlyMap<string, string> {
  return new Map(JSON.parse(json) as Pairs);
}

/** `(select value from …)`: the texts of a bound JSON list. A list of any length is one parameter, so one statement. */
export function listIn(dialect: DialectName, list: string): RawBuilder<string> {
  return dialect === 'sqlite'
    ? sql`(select value from json_each(${list}))`
    : sql`(select value from json_array_elements_text(${list}::json))`;
}

/** `(select key, value from …)`: the rows of bound JSON pairs. */
export function pairsIn(dialect: DialectName, pairs: string): RawBuilder<{ key: string; value: string }> {
  return dialect === 'sqlite'
    ? sql`(select value ->> 0 as key, value ->> 1 as value from json_each(${pairs}))`
    : sql`(select value ->> 0 as key, value ->> 1 as value from json_array_elements(${pairs}::json))`;
}

/** As `pairsIn`, with `place`, the pair's number in the list from 0 on. */
export function orderedPairsIn(
  dialect: DialectName,
  pairs: string,
): RawBuilder<{ key: string; value: string; place: number }> {
  return dialect === 'sqlite'
    ? sql`(select value ->> 0 as key, value ->> 1 as value, json_each.key as place from json_each(${pairs}))`
    : sql`(select pair ->> 0 as key, pair ->> 1 as value, (place - 1)::integer as place
           from json_array_elements(${pairs}::json) with ordinality as pairs (pair, place))`;
}

/** A subselect that gives the rows `(key, value)` of `rows`, which must be ordered, as one JSON text. */
export function pairsOf(dialect: DialectName, rows: RawBuilder<unknown>): RawBuilder<string> {
  return dialect === 'sqlite'
    ? sql`(select json_group_array(json_array(key, value)) from (${rows}))`
    : sql`(select coalesce(json_agg(json_build_array(key, value)), '[]')::text from (${rows}) as pair)`;
}
