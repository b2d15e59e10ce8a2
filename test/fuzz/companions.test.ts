import { fuzzTests } from './fuzz-tests.ts';
import { COMPANIONS } from './targets/index.ts';

fuzzTests(COMPANIONS);
