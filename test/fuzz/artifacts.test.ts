import { fuzzTests } from './fuzz-tests.ts';
import { ARTIFACTS } from './targets/index.ts';

fuzzTests(ARTIFACTS);
