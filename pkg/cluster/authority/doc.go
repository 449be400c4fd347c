// Package authority says who may act, and until when.
//
// A primary acts on a Lease that its secondaries renew: each tells it, again and again, up to which of the primary's own
// moments it has heard it, and a lease counts from there. A secondary makes with each of these words a Promise: that nothing
// runs on its side before the lease and a margin have passed. So clocks need not agree; they only have to run about equally fast.
// Claim raises the epoch, which fences whatever the lease does not, in the keys that all sides share.
//
// What always holds: no two sides act at the same time as long as nobody overrides the majority; of several that claim the same
// epoch at most one gets it.
//
// It may import fault alone.
package authority
