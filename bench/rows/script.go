package main

import (
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
)

// A script is one load: who listens to what, and what is written.
type script struct {
	name, what string
	statements string // what makes the tables and policies, besides those of the place
	users      int    // distinct identities; 0 means that all are anonymous
	topic      func(seat int) string
	config     func(seat int) string // of a seat's join: JSON
	listeners  int                   // seats; 0 means as many as there are users
	told       bool                  // a system message says that a subscription is live

	insert    string // writes the changes from one number to another
	arguments func(first, last int) []any
	wants     func(seat, n int) bool // whether a change is for a seat

	rate    float64 // changes a second
	length  time.Duration
	batch   int // changes that one statement makes
	writers int // connections that write
	warm    int // changes before the measuring begins: whole batches

	budgets func(*result) []budget
}

// total is how many changes there are in all.
func (s *script) total() int {
	batches := max(1, int(s.rate*s.length.Seconds())/s.batch)
	return s.warm + batches*s.batch
}

// writer returns which connection writes a change.
func (s *script) writer(n int) int { return n / s.batch % s.writers }

// seats returns the clients, each with a token of its own if there are users.
func (s *script) seats() ([]load.Seat, error) {
	tokens := make([]string, max(s.users, 1))
	var err error
	for i := range tokens {
		role, subject := "anon", ""
		if s.users > 0 {
			role, subject = "authenticated", user(i)
		}
		if tokens[i], err = token(role, subject); err != nil {
			return nil, err
		}
	}
	listeners := s.listeners
	if listeners == 0 {
		listeners = s.users
	}
	seats := make([]load.Seat, listeners)
	for i := range seats {
		seats[i] = load.Seat{
			Topic:   s.topic(i),
			Payload: []byte(`{"config":` + s.config(i) + `,"access_token":"` + tokens[i%len(tokens)] + `"}`),
		}
	}
	return seats, nil
}
