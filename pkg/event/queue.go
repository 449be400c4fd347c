package event

// What is done with a command while an operation is under way in the environment.
const (
	RefuseWhenBusy = "refuse" // the default
	QueueWhenBusy  = "queue"  // it begins when the operation has ended, however that went
)
