/** Milliseconds between two renewals of a lock by its holder. */
export const BEAT = 15_000;
/**
 * Milliseconds without a renewal after which a run that cannot be seen counts as ended. Longer than usual
 * pauses of a machine, outages of a network, and the minute for which NFS caches attributes of a file.
 */
export const LEASE = 300_000;
