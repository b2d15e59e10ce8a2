#!/usr/bin/env node
import { githubAction } from '../dist/src/cli/github-action.js';

process.exitCode = await githubAction(process);
