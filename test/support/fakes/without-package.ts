/** NODE_OPTIONS of a process that does not find a package. */
export function withoutPackage(name: string): string {
  const hooks = `export const resolve = (name, context, next) => {
    if (name === ${JSON.stringify(name)}) throw new Error('not found');
    return next(name, context);
  };`;
  const url = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  const register = `import { register } from 'node:module'; register(${JSON.stringify(url(hooks))});`;
  return `--import=${url(register)}`;
}
