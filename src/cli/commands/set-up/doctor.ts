import { Command } from 'commander';
import { PressError } from '../../../core/errors.ts';
import { type Check, examine } from '../../../pipeline/doctor/doctor.ts';
import { VERSION } from '../../../pipeline/version.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession, Session } from '../../session.ts';
import { renderTable } from '../../ui/terminal/table.ts';
import type { Theme } from '../../ui/terminal/theme.ts';

const HELP = `
A note is about something optional. A problem makes conversions fail, and sets the exit code that they would end with: 7
for Node.js and WebAssembly, 4 for memory that cannot be allocated, 2 for invalid settings, 5 for a Hub that does not
answer. The output shows no tokens and not the name of the machine; the home folder is ~.

Examples:
  plmpress doctor
  plmpress doctor --online
  plmpress doctor --json`;

export function doctorCommand(open: OpenSession): Command {
  return new Command('doctor')
    .description('check that this machine can run conversions, and say what to fix')
    .option('--online', 'check that the Hub answers and accepts the token')
    .addHelpText('after', helpText(HELP))
    .action(async ({ online = false }: { readonly online?: boolean }) => {
      const session = open();
      const { env, signal } = session;
      const checks = [...(await examine({ env, online, signal })), terminal(session)];
      if (session.json) await session.writeJson({ version: VERSION, checks });
      else await session.writeLines(lines(checks, session.theme));
      const problem = checks.find(({ state }) => state === 'problem');
      if (problem?.failure) await session.fail(failureOf(problem, problem.failure));
    });
}

function failureOf({ name, found }: Check, failure: PressError['failure']): PressError {
  return new PressError(failure, { field: name, what: found });
}

function terminal({ out, theme }: Session): Check {
  const colors = theme.good('') === '' ? 'without colours' : 'with colours';
  const found = out.isTty
    ? `a terminal, ${colors}`
    : `not a terminal: output goes to a file or program, ${colors}`;
  return { name: 'output', state: 'ok', found };
}

/** One line per check, and one below it that says what to do. */
function lines(checks: readonly Check[], theme: Theme): string[] {
  const styles = { ok: theme.good, note: theme.warning, problem: theme.bad };
  const columns = [{ header: 'state' }, { header: 'what' }, { header: 'found' }];
  const [, ...rows] = renderTable(
    columns,
    checks.map(({ state, name, found }) => [state, name, found]),
  );
  return [
    `plmpress ${VERSION}`,
    ...rows.flatMap((row, index) => {
      const { state, advice } = checks[index]!;
      const line = row.replace(state, styles[state](state));
      return advice === undefined ? [line] : [line, theme.dim(`         ${advice}`)];
    }),
  ];
}
