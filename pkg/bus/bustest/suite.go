package bustest

import "testing"

// Run runs the contract against the broker that factory starts; the broker is the suite's alone while it runs.
func Run(t *testing.T, factory func(t *testing.T) Broker) {
	broker := factory(t)
	for _, test := range []struct {
		name string
		run  func(*rig)
	}{
		{"declaring twice changes nothing", declareTwice},
		{"a queue delivers in the order of publishing", order},
		{"a message arrives as it was published", intact},
		{"confirmed means stored", stored},
		{"a dead connection's deliveries come again and say so", redelivery},
		{"prefetch bounds what is unacknowledged", prefetch},
		{"acknowledging does not acknowledge what came before", gaps},
		{"requeue delivers again", requeue},
		{"requeue delays", requeueDelay},
		{"a delayed message does not block those behind it", requeueBehind},
		{"too many deliveries make a dead letter", maxDeliveries},
		{"a dead letter has its reason and the original body", deadLetter},
		{"an event without subscribers is fine", noSubscribers},
		{"topics match by word", topics},
		{"a reply finds its listener", replies},
		{"a plain client's command is answered", plain},
		{"a message expires", expires},
		{"a message to a missing queue is not lost in silence", missingQueue},
		{"what can't be sent is refused and harms nobody", refused},
		{"a partition has one consumer, and another takes over from a closed one", takeoverClosed},
		{"a partition has one consumer, and another takes over from a dead one", takeoverDead},
		{"after a takeover the partition is in order", takeoverOrder},
		{"a broker's restart in the middle of traffic loses nothing", restart},
		{"a broker's crash in the middle of traffic loses nothing", crash},
		{"a cut connection in the middle of traffic loses nothing", cut},
		{"publish waits for the connection", publishWaits},
		{"send reports what is unconfirmed when the connection is lost", sendReports},
		{"a listener survives a lost connection", listenerSurvives},
		{"close waits for confirms", closeWaits},
		{"a closed bus says so", closedBus},
		{"stop ends deliveries, and acknowledgements still count", stop},
		{"20,000 messages in flight", pipelined},
		{"many publish and consume at once", concurrent},
		{"the status tells how the connection stands", status},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(newRig(t, broker)) })
	}
}
