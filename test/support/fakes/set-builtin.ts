import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';

/** Gives a built-in module, of which `module` is the default export, another member until the test ends. */
export function setBuiltin<M extends object, K extends keyof M>(
  t: TestContext,
  module: M,
  name: K,
  value: M[K],
): void {
  const before = module[name];
  const set = (member: M[K]) => {
    module[name] = member;
    syncBuiltinESMExports();
  };
  set(value);
  t.after(() => set(before));
}
