/**
 * A flag of Dawn, in Node and in Chromium, under which workgroup memory does not begin with zeros.
 * SwiftShader compiles a store for each of them, which takes longer than all else, and our kernels must not
 * need them.
 */
export const NO_WORKGROUP_ZEROS = 'enable-dawn-features=disable_workgroup_init';
