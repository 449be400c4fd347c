// Package membership keeps which secondaries a primary counts, the same for all servers of its side.
//
// A primary acts while enough of those that are counted hear it, and waits for enough of them to have what it offers; a takeover by force
// needs so many of them that one has every offer. That holds while the two sides count the same ones. Three rules have it hold
// while these change, whichever server of the side does what:
//
//   - who is counted is in the side's store, and an offer looks there after it was written, and waits for these;
//   - a secondary is told that it or another one is counted once it has all that had been written when that was first seen, and it does not take
//     over, nor agree to it, before it was told that it is counted itself;
//   - another one is counted once all that are counted know of it. One joins at a time.
//
// So every takeover meets every offer: those who take over by what was before know of no fewer than were waited for then, and those who do by
// what came later have what was written before. It is the change by single servers of Raft (Ongaro 2014, 4.1), for majorities that differ.
//
// It may import authority, store, fault and service alone.
package membership
