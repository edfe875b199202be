package wal

// A State is what a feed tells its owner of itself: Connecting, Live, Down or
// Lost.
type State interface{ state() }

// Connecting says that the feed tries to go live. Creating a slot waits for the
// transactions that run in the database, so this may take as long as they do.
type Connecting struct{}

// Live says that every change that commits behind Since is handed over, even if
// the connection breaks, unless Lost follows.
type Live struct {
	Since  uint64
	System string // identity of the server
	End    uint64 // of its log, about now: a position behind it is of another history
	// PutOut says that the connection of a lower Term was ended for it: somebody was
	// reading the slot.
	PutOut bool
}

// Down says why there is no connection. The feed tries again by itself.
type Down struct{ Failure *Failure }

// Lost says that what committed behind From and before To is not handed over:
// its slot was gone. Live follows. When the database has another history than
// before, such as after a restore, To may be less than From.
type Lost struct{ From, To uint64 }

func (Connecting) state() {}
func (Live) state()       {}
func (Down) state()       {}
func (Lost) state()       {}
