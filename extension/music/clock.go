package music

import (
	"errors"
	"slices"
)

// A Clock is a room's time with what its owner must know to obey commands: which
// keys were used, and what time it last was. All of it travels to another owner
// as JSON, so that a command that is sent again to the new one is done once.
type Clock struct {
	State    State  `json:"state"`
	Answered []Done `json:"answered"` // the latest commands with keys, oldest first
	Latest   Time   `json:"latest"`   // of all times it was told

	// Lead is how long before its effect a change is known at least, so that
	// clients hear of it in time. Zero lets "now" be now.
	Lead Span `json:"lead_ms"`
}

// A Done is a command with a key, and what it was answered.
type Done struct {
	By      string  `json:"by"`
	Command Command `json:"command"`
	Answer  Answer  `json:"answer"`
}

// An Answer is what the sender of a command gets.
type Answer struct {
	Key      string   `json:"key,omitempty"`
	Rev      uint64   `json:"rev"`                // of the state after the command; with a conflict, the current one
	At       *Time    `json:"at,omitempty"`       // when it takes effect
	Beat     *Beat    `json:"beat,omitempty"`     // and at which position
	Repeated bool     `json:"repeated,omitempty"` // it was done before and was not done again
	Error    *Refusal `json:"error,omitempty"`    // why it was not done
}

const (
	maxAnswered = 256        // keys that are remembered
	maxKept     = 512        // entries of a list
	past        = 2 * Minute // that is kept at least
)

// Do obeys a command of a member who may give it. The change is nil when nothing
// was changed: after a refusal, a repetition, or what is so already.
func (c *Clock) Do(command Command, by string, now Time) (Answer, *Change) {
	c.Latest = max(c.Latest, clampTime(now)) // a clock that steps back does not change the past
	if done, found := c.done(by, command.Key); found {
		return done.again(command, c.State.Rev), nil
	}
	after, change, err := c.attempt(command)
	if err != nil {
		return Answer{Key: command.Key, Rev: c.State.Rev, Error: refusal(err)}, nil
	}
	change.By, change.Key = by, command.Key
	answer := Answer{Key: command.Key, Rev: after.Rev, At: &change.At, Beat: &change.Beat}
	c.remember(Done{by, command, answer})
	if after.Rev == c.State.Rev {
		return answer, nil
	}
	c.State = after
	return answer, &change
}

// attempt returns the state with a command. The revision counts only if
// something is different.
func (c *Clock) attempt(command Command) (State, Change, error) {
	if command.Rev != 0 && command.Rev != c.State.Rev {
		return State{}, Change{}, refuse(Conflict,
			"the command is for revision %d and the room is at %d: look at what changed and send it again",
			command.Rev, c.State.Rev)
	}
	before := c.State
	if before.size() >= maxKept {
		before = before.Prune(c.Latest.Add(-past))
	}
	if before.size() >= maxKept {
		return State{}, Change{}, refuse(TooManyChanges, "the room changes too often: wait a minute")
	}
	after, event, beat, err := before.apply(command, clampTime(c.Latest.Add(c.Lead)))
	if err != nil {
		return State{}, Change{}, err
	}
	after.Rev++
	change := before.changeTo(after)
	change.Event, change.At, change.Beat = event, after.Tempo.Time(beat), beat
	if change.Tempo == nil && change.Bars == nil && change.Transport == nil && change.Cycles == nil {
		return c.State, change, nil
	}
	return after, change, nil
}

// done looks for a command with a key.
func (c *Clock) done(by, key string) (Done, bool) {
	if key == "" {
		return Done{}, false
	}
	i := slices.IndexFunc(c.Answered, func(d Done) bool { return d.By == by && d.Command.Key == key })
	if i < 0 {
		return Done{}, false
	}
	return c.Answered[i], true
}

// again answers a command whose key was used.
func (d Done) again(command Command, rev uint64) Answer {
	if command != d.Command {
		return Answer{Key: command.Key, Rev: rev, Error: refuse(KeyReused, "another command had the key: use a new one for each")}
	}
	answer := d.Answer
	answer.Repeated = true
	return answer
}

// remember keeps a command that has a key.
func (c *Clock) remember(d Done) {
	if d.Command.Key == "" {
		return
	}
	if extra := len(c.Answered) + 1 - maxAnswered; extra > 0 {
		c.Answered = slices.Delete(c.Answered, 0, extra)
	}
	c.Answered = append(c.Answered, d)
}

// refusal returns the refusal that an error is.
func refusal(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	return &Refusal{BadPayload, err.Error(), 0}
}
