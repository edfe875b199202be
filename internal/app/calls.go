package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/api"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/trace"
)

var errUnknownCall = errors.New("this release does not know the call")

// callWait is how long other nodes have for what somebody waits for.
const callWait = 3 * time.Second

// An operation is what a node asks others to do as well. New fields are left
// unread by nodes of older releases.
type operation struct {
	Tenant  string `json:"tenant"`
	Subject string `json:"sub,omitempty"`
	Topic   string `json:"topic,omitempty"`
	Private *bool  `json:"private,omitempty"`

	Trace map[string]string `json:"trace,omitempty"` // the span of whoever asks
}

func (o *operation) who() channel.Who {
	return channel.Who{Subject: o.Subject, Topic: o.Topic, Private: o.Private}
}

// asked does what another node asks for.
func (a *App) asked(ctx context.Context, c cluster.Call) ([]byte, error) {
	switch c.Name {
	case callRelay:
		return a.relay.Answer(ctx, c.Node, c.Payload)
	case callExtend:
		return a.extensions.Answer(ctx, c.Node, c.Payload)
	case callAdmin:
		return a.console.Answer(ctx, c.Node, c.Payload)
	case callMetrics:
		return a.metrics.answer(string(c.Payload))
	}
	var o operation
	if err := json.Unmarshal(c.Payload, &o); err != nil {
		return nil, fmt.Errorf("read the call %s: %w", c.Name, err)
	}
	ctx, span := a.tracer.Remote(ctx, o.Trace, "answer node")
	n, err := a.operate(ctx, c.Name, &o)
	finishCall(span, c.Name, &o, err)
	if err != nil {
		return nil, err
	}
	return json.Marshal(n)
}

// operate does something on this node, and returns to how many it was done.
func (a *App) operate(ctx context.Context, name string, o *operation) (n int, err error) {
	switch name {
	case callDismiss:
		a.sockets.Dismiss(o.Tenant)
	case callExpel:
		return a.sockets.Expel(ctx, o.Tenant, o.who())
	case callReauthorize:
		return a.sockets.Reauthorize(ctx, o.Tenant, o.who())
	case callRestart:
		a.feeds.Restart(o.Tenant)
	case callLive:
		if a.feeds.Live(o.Tenant) {
			n = 1
		}
	default:
		err = errUnknownCall
	}
	return n, err
}

// everywhere does something on all nodes, and returns to how many it was done.
// An error says which nodes did not answer: there it may not have been done.
func (a *App) everywhere(ctx context.Context, name string, o *operation) (n int, err error) {
	ctx, span := trace.Start(ctx, "ask nodes")
	defer func() { finishCall(span, name, o, err) }()
	o.Trace = a.tracer.Carrier(ctx)
	payload, err := json.Marshal(o)
	if err != nil {
		return 0, fmt.Errorf("write the call %s: %w", name, err)
	}
	if n, err = a.operate(ctx, name, o); err != nil {
		return n, err
	}
	asking, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	replies, silent, err := a.bus.Ask(asking, "", name, payload)
	for _, r := range replies {
		var there int
		if r.Err == nil {
			r.Err = json.Unmarshal(r.Payload, &there)
		}
		if r.Err != nil {
			a.log.Warn("another node could not do what was asked for", "node", r.Node, "call", name, "err", r.Err)
			silent = append(silent, r.Node)
		}
		n += there
	}
	if err != nil {
		a.log.Warn("other nodes could not be asked", "call", name, "err", err)
		silent = append(silent, "others")
	}
	if len(silent) > 0 {
		return n, &api.Refusal{Status: http.StatusGatewayTimeout, Message: fmt.Sprintf(
			"ClusterNodesSilent: it was done for %d here and on nodes that answered, but not surely on these: %s. Do it again when they are back",
			n, strings.Join(silent, ", "))}
	}
	return n, nil
}

// finishCall ends the span of a call.
func finishCall(s *trace.Span, name string, o *operation, err error) {
	s.Set("call", name)
	s.Tenant(o.Tenant)
	if refusal, ok := errors.AsType[*api.Refusal](err); ok && refusal.Status == http.StatusGatewayTimeout {
		s.FailCode("ClusterNodesSilent")
		err = nil
	}
	s.Finish(err)
}

// someClients is everywhere for an operation on some clients of a tenant.
func (a *App) someClients(name string) func(context.Context, string, api.Who) (int, error) {
	return func(ctx context.Context, id string, who api.Who) (int, error) {
		return a.everywhere(ctx, name, &operation{Tenant: id, Subject: who.Subject, Topic: who.Topic, Private: who.Private})
	}
}

// tenantWide is everywhere for an operation on a tenant.
func (a *App) tenantWide(name string) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		_, err := a.everywhere(ctx, name, &operation{Tenant: id})
		return err
	}
}
