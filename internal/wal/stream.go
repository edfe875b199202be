package wal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

var (
	// errSilent says that the server does not answer any more.
	errSilent = errors.New("the server is silent")
	// errEnded says that the server has ended the stream.
	errEnded = errors.New("the server has ended the stream")
)

// A stream is a connection that replicates. Reading is its caller's; a goroutine
// of its own writes.
type stream struct {
	conn      net.Conn
	frontend  *pgproto3.Frontend
	server    server
	assembler *assembler
	decoder   decoder
	position  *position

	received atomic.Uint64 // end of what has come
	heard    atomic.Int64  // when the server last said something, in Unix nanoseconds
	busy     atomic.Bool   // the consumer is working: nobody listens to the server
	answer   chan struct{} // holds one when the server wants a status at once
}

// openStream begins replication on a connection, which then is the stream's.
func openStream(ctx context.Context, conn *pgconn.PgConn, slot string, publications []string) (*stream, error) {
	names := make([]string, len(publications))
	for i, name := range publications {
		names[i] = quote(name)
	}
	// From 0/0 the server begins where the slot stands.
	err := pglogrepl.StartReplication(ctx, conn, quote(slot), 0, pglogrepl.StartReplicationOptions{
		Mode: pglogrepl.LogicalReplication,
		PluginArgs: []string{
			"proto_version '1'", "publication_names " + literal(strings.Join(names, ",")),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("start replication: %w", err)
	}
	// pgconn allows one use of a connection at a time; we read and write at once.
	raw, err := conn.Hijack()
	if err != nil {
		return nil, err
	}
	return &stream{conn: raw.Conn, frontend: raw.Frontend, answer: make(chan struct{}, 1)}, nil
}

// run reads until the context or the stream ends, and closes the connection. It
// always returns an error.
func (s *stream) run(ctx context.Context) error {
	life, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	released := make(chan struct{})
	stop := context.AfterFunc(life, func() {
		defer close(released)
		_ = s.conn.SetDeadline(time.Unix(1, 0)) // wakes reader and writer
	})
	s.heard.Store(time.Now().UnixNano())
	var wg sync.WaitGroup
	wg.Go(func() { cancel(s.writeStatuses(life)) })
	err := s.read(ctx) // not life: the consumer need not know of connections
	if errors.Is(err, os.ErrDeadlineExceeded) && life.Err() != nil {
		err = context.Cause(life)
	}
	cancel(err)
	wg.Wait()
	if !stop() {
		<-released
	}
	if errors.Is(err, errSilent) {
		_ = s.conn.Close() // it would not say goodbye
		return err
	}
	s.close()
	return err
}

// read takes the server's messages in, and hands over what they say.
func (s *stream) read(ctx context.Context) error {
	for {
		message, err := s.frontend.Receive()
		if err != nil {
			return err
		}
		s.heard.Store(time.Now().UnixNano())
		switch m := message.(type) {
		case *pgproto3.CopyData:
			if err := s.take(ctx, m.Data); err != nil {
				return err
			}
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.CopyDone, *pgproto3.CommandComplete, *pgproto3.ReadyForQuery:
			return errEnded
		}
	}
}

func (s *stream) take(ctx context.Context, data []byte) error {
	e, err := openEnvelope(data)
	if err != nil {
		return err
	}
	s.position.hear(e.written)
	if e.payload == nil {
		s.keepalive(e)
		return nil
	}
	s.received.Store(max(s.received.Load(), e.start))
	if len(e.payload) > 0 && strings.IndexByte("IUD", e.payload[0]) >= 0 {
		e.payload = bytes.Clone(e.payload) // the values stay; the buffer is the next message's
	}
	message, err := s.decoder.decode(e.payload)
	if err != nil {
		return err
	}
	s.busy.Store(true)
	err = s.assembler.take(ctx, message)
	s.heard.Store(time.Now().UnixNano())
	s.busy.Store(false)
	return err
}

func (s *stream) keepalive(e envelope) {
	s.received.Store(max(s.received.Load(), e.end))
	if !s.assembler.open {
		s.position.pass(e.end)
	}
	if e.reply {
		select {
		case s.answer <- struct{}{}:
		default:
		}
	}
}

// writeStatuses tells the server that we live and what it may forget: at once
// when it asks, and every so often because we do not hear it ask while the
// consumer works.
func (s *stream) writeStatuses(ctx context.Context) error {
	ticker := time.NewTicker(s.server.every())
	defer ticker.Stop()
	silence := s.server.silence()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.answer:
		case <-ticker.C:
		}
		quiet := time.Duration(0)
		if !s.busy.Load() {
			quiet = time.Since(time.Unix(0, s.heard.Load()))
		}
		if quiet > silence {
			return errSilent
		}
		if err := s.writeStatus(quiet > silence/3); err != nil {
			return err
		}
	}
}

func (s *stream) writeStatus(reply bool) error {
	status, err := appendStatus(nil, s.received.Load(), s.position.flushed(), reply)
	if err != nil {
		return err
	}
	_, err = s.conn.Write(status)
	return err
}

// close says how far we have come and leaves. It waits for the server to hang
// up, because only then the slot is free.
func (s *stream) close() {
	defer s.conn.Close()
	_ = s.conn.SetDeadline(time.Now().Add(goodbye)) // a broken connection ends the copy all the same
	if s.writeStatus(false) != nil {
		return
	}
	end, err := (&pgproto3.Terminate{}).Encode(nil)
	if err != nil {
		return
	}
	if _, err := s.conn.Write(end); err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, s.conn)
}
