package main

import (
	"context"
	"net/http"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// A message is prepared once and written to many.
type message struct {
	text     bool
	data     []byte
	prepared *gorilla.PreparedMessage // what gorilla has against framing again and again
}

func newMessage(text bool, data []byte) message {
	kind := gorilla.BinaryMessage
	if text {
		kind = gorilla.TextMessage
	}
	prepared, err := gorilla.NewPreparedMessage(kind, data)
	if err != nil {
		panic(err) // it is a message of a kind that exists
	}
	return message{text, data, prepared}
}

type gorillaSocket struct{ conn *gorilla.Conn }

func gorillaUpgrade(w http.ResponseWriter, r *http.Request) (socket, error) {
	up := gorilla.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	return gorillaSocket{conn}, nil
}

func (s gorillaSocket) read(context.Context) (bool, []byte, error) {
	kind, data, err := s.conn.ReadMessage()
	return kind == gorilla.TextMessage, data, err
}

func (s gorillaSocket) write(_ context.Context, m message) error {
	return s.conn.WritePreparedMessage(m.prepared)
}

func (s gorillaSocket) close() { _ = s.conn.Close() }

type coderSocket struct{ conn *coder.Conn }

func coderUpgrade(w http.ResponseWriter, r *http.Request) (socket, error) {
	conn, err := coder.Accept(w, r, &coder.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(8 << 20)
	return coderSocket{conn}, nil
}

func (s coderSocket) read(ctx context.Context) (bool, []byte, error) {
	kind, data, err := s.conn.Read(ctx)
	return kind == coder.MessageText, data, err
}

func (s coderSocket) write(ctx context.Context, m message) error {
	kind := coder.MessageBinary
	if m.text {
		kind = coder.MessageText
	}
	return s.conn.Write(ctx, kind, m.data)
}

func (s coderSocket) close() { _ = s.conn.CloseNow() }
