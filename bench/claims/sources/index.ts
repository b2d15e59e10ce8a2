import type { Source } from '../source.ts';
import { CONSTANT_SOURCES } from './constants.ts';
import { GEOMETRY_SOURCES } from './geometry.ts';
import { MEASURED_SOURCES } from './measured.ts';
import { PACKAGE_SOURCES } from './packages.ts';
import { RECORDED_SOURCES } from './recorded.ts';
import { TEST_SOURCES } from './tests.ts';

/** What marks of documents name. */
export const SOURCES: ReadonlyMap<string, Source> = new Map(
  [
    CONSTANT_SOURCES,
    GEOMETRY_SOURCES,
    MEASURED_SOURCES,
    PACKAGE_SOURCES,
    RECORDED_SOURCES,
    TEST_SOURCES,
  ].flatMap((sources) => Object.entries(sources)),
);
