package channel

import (
	"bytes"
	"errors"
	"log/slog"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/trace"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// join handles phx_join. An earlier channel of the same topic ends first: its
// phx_close follows the reply. Protocol, sections 3.3, 3.5 and 3.10.
func (c *Client) join(f *phoenix.Frame) {
	name, prefixed := tutti.CutTopic(string(f.Topic))
	if !prefixed && !c.bare(name) {
		c.reply(ordered, f, nil, unmatched)
		return
	}
	if len(f.Topic) > maxTopic {
		c.reply(ordered, f, nil, longTopic)
		return
	}
	replaced := c.evict(f.Topic)
	if c.topics.len() >= maxTopics {
		c.reply(ordered, f, nil, crowded)
		return
	}
	span := c.joinSpan(name)
	cfg, token, err := c.admit(name, f.Payload, span)
	if err != nil {
		span.Finish(err)
		c.refuse(f, replaced, err)
		return
	}
	cfg.span = span
	ch := c.newChannel(name, !prefixed, f, &cfg, token)
	if cfg.private {
		c.knock(ch, f, &cfg, replaced)
		return
	}
	c.topics.add(ch)
	later := ch.announce(replaced)
	if later == nil {
		ch.enterPublic(f, &cfg, replaced)
		return
	}
	join, config := kept(f), cfg.clone()
	later(func() { ch.enterPublic(join, &config, replaced) })
}

// enterPublic lets a client into a public channel.
func (ch *Channel) enterPublic(f *phoenix.Frame, cfg *config, replaced []*Channel) {
	ch.sit()
	ch.watchToken(time.Now())
	ch.client.reply(ordered, f, ch.joinRef, joined(cfg.rows))
	ch.entered(cfg)
	ch.client.Desk.Metrics.joined(public, f.At)
	sayClosed(replaced)
	ch.begin(cfg)
	ch.attend(f.Payload)
}

// entered notes that a join was answered.
func (ch *Channel) entered(cfg *config) {
	cfg.span.End()
	if ch.client.wants(slog.LevelInfo) {
		ch.log().Info("channel joined")
	}
}

// joined returns the answer to a join that succeeded.
func joined(rows []changes.Entry) answer {
	return answer{phoenix.StatusOK, string(changes.AppendResponse(nil, rows))}
}

// refuse answers a join that failed, after the backoff. Nothing else of the
// client waits for it.
func (c *Client) refuse(f *phoenix.Frame, replaced []*Channel, err error) {
	reason := tutti.ErrUnknown
	if !errors.As(err, &reason) {
		c.Desk.Log.Error("join failed", "tenant", c.TenantID, "topic", string(f.Topic), "code", tutti.UnknownErrorOnChannel, "err", err)
	} else {
		c.noteRefusal(f.Topic, reason)
	}
	ref, joinRef := clone(f.Ref), clone(f.JoinRef)
	answered := &phoenix.Frame{Topic: bytes.Clone(f.Topic), Ref: ref}
	c.refused++
	c.failed(reason.Code)
	c.Desk.Metrics.turnedAway()
	c.Line.After(c.Desk.JoinBackoff, func() {
		c.refused--
		c.reply(ordered, answered, joinRef, refusal(reason.Error()))
		sayClosed(replaced)
		if reason.Code == tutti.TenantNotFound || reason.Code == tutti.ClientJoinRateLimitReached {
			c.Line.Hangup(websocket.CodeGoingAway, "")
		}
	})
}

// noteRefusal logs why a client was refused. That its own token is over is news
// to nobody else, so that the client decides whether it is logged.
func (c *Client) noteRefusal(topic []byte, reason *tutti.Error) {
	if !c.logs(slog.LevelWarn) || reason.Code == tutti.InvalidJWTToken && !c.wants(slog.LevelWarn) {
		return
	}
	name, _ := tutti.CutTopic(string(topic))
	var claims tutti.Claims // of the handshake: those of the join may be what was wrong
	if c.Token != nil {
		claims = c.Token.Claims
	}
	c.log(name, claims.Subject, claims.Raw, claims.Expires).Warn("join refused", "code", reason.Code, "reason", reason.Reason)
}

// admit checks a join, in the order of protocol, section 3.3. An error that is
// a *tutti.Error is for the client.
func (c *Client) admit(name string, payload []byte, span *trace.Span) (cfg config, token *auth.Token, err error) {
	if name == "" {
		return cfg, nil, &tutti.Error{Code: tutti.TopicNameRequired, Reason: "You must provide a topic name"}
	}
	c.tried = true
	cfg, err = parseConfig(payload)
	if err != nil {
		return cfg, nil, err
	}
	if len(cfg.odd) > 0 {
		c.Desk.Log.Warn("join payload has fields of the wrong type", "code", tutti.InvalidJoinPayload,
			"tenant", c.TenantID, "topic", name, "fields", cfg.odd)
	}
	t, err := c.open()
	if err != nil {
		return cfg, nil, err
	}
	if t.PrivateOnly && !cfg.private {
		return cfg, nil, &tutti.Error{Code: tutti.PrivateOnly, Reason: "This project only allows private channels"}
	}
	if err := c.allow(t); err != nil {
		return cfg, nil, err
	}
	check := span.Child("token")
	token, err = c.verify(t, &cfg)
	check.Finish(err)
	if err != nil {
		return cfg, nil, err
	}
	if err := c.authorize(t, name, &cfg); err != nil {
		return cfg, nil, err
	}
	if cfg.oldAPI {
		cfg.rows = []changes.Entry{changes.Implied(name)}
	}
	return cfg, token, nil
}

// allow checks the tenant's limits on joins.
func (c *Client) allow(t *tutti.Tenant) error {
	if !c.counted && c.Meters.ClusterUsers() >= t.MaxConcurrentUsers {
		return &tutti.Error{Code: tutti.ConnectionRateLimitReached, Reason: "Too many connected users"}
	}
	if c.Meters.Joins.Over(t.MaxJoinsPerSecond) {
		return &tutti.Error{Code: tutti.ClientJoinRateLimitReached, Reason: "Too many joins per second"}
	}
	c.Meters.Joins.Add(c.Desk.Index, 1)
	if c.live() >= t.MaxChannelsPerClient {
		return &tutti.Error{Code: tutti.ChannelRateLimitReached, Reason: "Too many channels"}
	}
	return nil
}

// verify returns the token that the channel will use. Protocol, section 4.4.
func (c *Client) verify(t *tutti.Tenant, cfg *config) (*auth.Token, error) {
	raw, given := cfg.token()
	now := time.Now()
	var token *auth.Token
	var err error
	if given {
		token, err = c.Desk.Verifier.Verify(t, raw, now)
	} else {
		token = c.Token
	}
	if err == nil {
		err = token.Check(now)
	}
	if failure, ok := errors.AsType[*auth.Failure](err); ok {
		return nil, failure.Join()
	}
	return token, err
}

// token returns the token in a join, if there is one that counts.
func (cfg *config) token() (raw string, given bool) {
	access, isAccess := phoenix.Unquote(cfg.accessToken)
	user, isUser := phoenix.Unquote(cfg.userToken)
	first := access
	if !isAccess {
		first = user
	}
	switch {
	case auth.Opaque(first):
		return "", false
	case isUser:
		return user, true
	}
	return access, isAccess
}

// authorize refuses what can be refused at once. A private channel asks the
// policies of a database after this, and counts when it is let in.
func (c *Client) authorize(t *tutti.Tenant, name string, cfg *config) error {
	switch {
	case cfg.private && c.Desk.Policies == nil:
		return &tutti.Error{Code: tutti.Unauthorized, Reason: notReadable + name}
	case cfg.private:
		return nil
	case cfg.replay != nil:
		return &tutti.Error{Code: tutti.UnableToReplayMessages, Reason: "Replay is not allowed for public channels"}
	}
	return c.enterUser(t)
}

// enterUser counts the client as one of the tenant's users, once.
func (c *Client) enterUser(t *tutti.Tenant) error {
	if !c.counted {
		if !c.Meters.EnterUser(t.MaxConcurrentUsers) {
			return &tutti.Error{Code: tutti.ConnectionRateLimitReached, Reason: "Too many connected users"}
		}
		c.counted = true
		c.fed = c.Desk.Rows != nil && c.Desk.Rows.Enter(t)
	}
	return nil
}

// clone copies a ref out of the buffer that it came in.
func clone(r phoenix.Ref) phoenix.Ref {
	if r == nil {
		return nil
	}
	return append(make(phoenix.Ref, 0, len(r)), r...)
}
