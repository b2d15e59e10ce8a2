import type { TestContext } from 'node:test';

/** Sets variables of this process, which those that it starts inherit, until the test ends. */
export function setEnvironment(t: Pick<TestContext, 'after'>, variables: NodeJS.ProcessEnv): void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
}
