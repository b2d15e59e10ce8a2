export type ManifestOptions = Readonly<Record<string, string | number | boolean | readonly string[]>>;
