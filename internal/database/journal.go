package database

import "time"

const (
	journalKeep = 10 * time.Minute // before the same is said again
	journalSize = 100              // causes that are remembered
)

// A journal keeps the log from saying the same of a tenant over and over.
type journal struct {
	said map[string]time.Time
}

// news reports whether a cause was not said lately, and takes it for said.
func (j *journal) news(now time.Time, cause string) bool {
	if at, ok := j.said[cause]; ok && now.Sub(at) < journalKeep {
		return false
	}
	if j.said == nil || len(j.said) >= journalSize {
		j.said = map[string]time.Time{}
	}
	j.said[cause] = now
	return true
}

// forget makes everything news.
func (j *journal) forget() { j.said = nil }
