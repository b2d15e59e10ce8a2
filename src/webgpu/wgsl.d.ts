/** The text of a shader, which esbuild puts into the bundle. */
declare module '*.wgsl' {
  const source: string;
  export default source;
}
