package channel

import (
	"errors"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// watchToken checks the channel's token when it ends, and now and then before.
// Protocol, section 4.5.
func (ch *Channel) watchToken(now time.Time) {
	ch.stopTimer = ch.client.Line.After(ch.token.Recheck(now), func() {
		now := time.Now()
		if err := ch.token.Check(now); err != nil {
			ch.expel(err)
			return
		}
		ch.watchToken(now)
		ch.watchAccess() // the tenant's wish may be new
	})
}

// renew handles access_token, which is never answered. Protocol, section 4.6.
func (ch *Channel) renew(f *phoenix.Frame) {
	var raw []byte
	if f.Kind == phoenix.Text && isObject(f.Payload) {
		raw, _ = phoenix.Lookup(f.Payload, "access_token")
	}
	text, isText := phoenix.Unquote(raw)
	switch {
	case isNull(raw):
		return
	case !isText:
		ch.unknown(f)
		return
	case auth.Opaque(text) || ch.token.Same(text):
		return
	}
	t := ch.client.Tenant.Tenant()
	if t == nil {
		return
	}
	now := time.Now()
	token, err := ch.client.Desk.Verifier.Verify(t, text, now)
	if err == nil {
		err = token.Check(now)
	}
	switch {
	case ch.joining():
		ch.knockAgain(token, err)
		return
	case err != nil:
		ch.expel(err)
		return
	}
	ch.stopTimer()
	ch.token = token
	ch.watchToken(now)
	if ch.place != nil {
		ch.place.Renew(token.Claims)
	}
	if ch.access != nil {
		ch.doubt(ch.renewRows)
		return
	}
	ch.renewRows()
}

// expel shuts the channel down for what is wrong with its token.
func (ch *Channel) expel(err error) {
	if failure, ok := errors.AsType[*auth.Failure](err); ok {
		ch.shutdown(failure.System())
		return
	}
	ch.log().Error("token check failed", "code", tutti.UnknownErrorOnChannel, "err", err)
	ch.shutdown("Unknown Error on Channel")
}
