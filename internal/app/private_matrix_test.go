package app

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

const (
	userA = "aaaaaaaa-0000-4000-8000-00000000000a"
	userB = "bbbbbbbb-0000-4000-8000-00000000000b"
	roomA = "room:" + userA
)

// identities are those whose permissions are looked at.
var identities = []identity{
	{name: "anon", role: "anon"},
	{name: "A", role: "authenticated", sub: userA, room: "blue", claims: map[string]any{"app": map[string]any{"team": "red"}}},
	{name: "B", role: "authenticated", sub: userB, room: "green", claims: map[string]any{"app": map[string]any{"team": "blue"}}},
	service,
	{name: "nobody", role: "a_role_that_does_not_exist", sub: userA},
}

// A policySet is policies, with how many of the 20 cells (5 identities, broadcast
// and presence, read and write) they grant: so that no mistake of the test makes
// all of them the same.
type policySet struct {
	sql     string
	granted int
}

const forAll = `CREATE POLICY "p" ON realtime.messages FOR ALL TO anon, authenticated `

var policySets = map[string]policySet{
	"none":           {"", 4},
	"all may":        {allMayAll, 16},
	"owner of topic": {forAll + `USING (realtime.topic() = 'room:' || auth.uid())`, 8},
	"owner of row":   {forAll + `USING (messages.topic = 'room:' || auth.uid())`, 8},
	"read only":      {`CREATE POLICY "p" ON realtime.messages FOR SELECT TO authenticated USING (true)`, 8},
	"write only":     {`CREATE POLICY "p" ON realtime.messages FOR INSERT TO authenticated WITH CHECK (true)`, 8},
	"presence only":  {forAll + `USING (extension = 'presence')`, 10},
	"broadcast only": {forAll + `USING (extension = 'broadcast')`, 10},
	"members": {`
		CREATE POLICY "r" ON realtime.messages FOR SELECT TO authenticated USING (EXISTS (
			SELECT FROM public.members m WHERE m.who = auth.uid() AND m.topic = realtime.topic()));
		CREATE POLICY "w" ON realtime.messages FOR INSERT TO authenticated WITH CHECK (EXISTS (
			SELECT FROM public.members m WHERE m.who = auth.uid() AND m.topic = realtime.topic() AND m.writes));`, 10},
	"claim":  {forAll + `USING (auth.jwt() -> 'app' ->> 'team' = 'red')`, 8},
	"header": {forAll + `USING (current_setting('request.headers', true)::json ->> 'x-room' = 'blue')`, 8},
	"raises": {forAll + `USING (public.fail())`, 4},
	"raises to write": {`
		CREATE POLICY "r" ON realtime.messages FOR SELECT TO authenticated USING (true);
		CREATE POLICY "w" ON realtime.messages FOR INSERT TO authenticated WITH CHECK (public.fail())`, 8},
	"raises about presence": {forAll + `USING (CASE WHEN extension = 'presence' THEN public.fail() ELSE true END)`, 10},
}

const matrixObjects = `
CREATE TABLE public.members (who uuid, topic text, writes boolean);
GRANT SELECT ON public.members TO anon, authenticated;
INSERT INTO public.members VALUES ('` + userA + `', '` + roomA + `', false), ('` + userB + `', '` + roomA + `', true), ('` + userA + `', 'other', true);
CREATE FUNCTION public.fail() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;`

const dropPolicies = `
DO $$ DECLARE p record; BEGIN
  FOR p IN SELECT policyname FROM pg_policies WHERE schemaname = 'realtime' AND tablename = 'messages' LOOP
    EXECUTE format('DROP POLICY %I ON realtime.messages', p.policyname);
  END LOOP;
END $$;`

// TestPrivateChannelsAllowWhatSQLAllows compares every cell with what a plain
// SELECT or INSERT does.
func TestPrivateChannelsAllowWhatSQLAllows(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, nil, func(s *script) {
		db := consoleOf(t, dsn)
		host := s.enter("host", service, "2.0.0")
		host.mustJoin(roomA, `{"private":true,"broadcast":{"ack":true,"replication_ready":true},"presence":{"enabled":true}}`)
		for _, who := range identities {
			s.enter(who.name, who, "2.0.0")
		}
		db.do(matrixObjects)
		for name, set := range policySets {
			db.do(dropPolicies + set.sql)
			granted := 0
			for _, who := range identities {
				truth := db.truth(who, roomA)
				granted += truth.granted()
				cell := &cell{s: s, host: host, client: s.client(who.name), who: who, truth: truth, name: name + ", " + who.name}
				cell.early()
				cell.late()
				cell.rest()
			}
			if granted != set.granted {
				t.Errorf("%s: SQL grants %d of 20, want %d", name, granted, set.granted)
			}
		}
	})
}

// A verdict is what SQL says: 'y', 'n', or 'e' for an error.
type verdict byte

// A truth is what SQL says of broadcast and presence.
type truth struct{ read, write [2]verdict }

func (t truth) granted() int {
	return strings.Count(string([]byte{byte(t.read[0]), byte(t.read[1]), byte(t.write[0]), byte(t.write[1])}), "y")
}

// of returns what is allowed where both are asked about, or broadcast only: an
// error denies all that was asked about.
func of(v [2]verdict, presence bool) (broadcast, also, failed bool) {
	if v[0] == 'e' || presence && v[1] == 'e' {
		return false, false, true
	}
	return v[0] == 'y', presence && v[1] == 'y', false
}

func (c *console) truth(who identity, topic string) (t truth) {
	for i, extension := range []string{"broadcast", "presence"} {
		t.read[i] = c.try(who, topic, extension, false)
		t.write[i] = c.try(who, topic, extension, true)
	}
	return t
}

// try selects, or inserts, a row as a user of the database would.
func (c *console) try(who identity, topic, extension string, write bool) verdict {
	const insert = `INSERT INTO realtime.messages (topic, extension) VALUES ($1, $2)`
	ctx := c.t.Context()
	tx, err := c.conn.Begin(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if !write {
		c.do(insert, topic, extension)
	}
	claims := map[string]any{"role": who.role}
	maps.Copy(claims, who.claims)
	if who.sub != "" {
		claims["sub"] = who.sub
	}
	object, _ := json.Marshal(claims)
	headers, _ := json.Marshal(map[string]string{"x-room": who.room})
	for name, value := range map[string]string{
		"realtime.topic": topic, "request.jwt.claims": string(object), "request.headers": string(headers),
	} {
		c.do(`SELECT set_config($1, $2, true)`, name, value)
	}
	_, err = tx.Exec(ctx, `SET LOCAL ROLE `+who.role)
	seen := true
	switch {
	case err != nil:
	case write:
		_, err = tx.Exec(ctx, insert, topic, extension)
	default:
		err = tx.QueryRow(ctx, `SELECT count(*) > 0 FROM realtime.messages WHERE topic = $1 AND extension = $2`, topic, extension).Scan(&seen)
	}
	refused, is := errors.AsType[*pgconn.PgError](err)
	switch {
	case is && refused.Code == "42501" && write:
		return 'n'
	case err != nil:
		return 'e'
	case seen:
		return 'y'
	}
	return 'n'
}

// A cell is one identity under one set of policies.
type cell struct {
	s            *script
	host, client *speaker // host may everything
	who          identity
	truth        truth
	name         string
	count        int
}

// check compares what was heard, in any order: replies go ahead of messages.
func (c *cell) check(what string, got []string, want map[string]bool) {
	wanted := []string{}
	for text, is := range want {
		if is {
			wanted = append(wanted, text)
		}
	}
	slices.Sort(wanted)
	slices.Sort(got)
	if !slices.Equal(got, wanted) {
		c.s.t.Errorf("%s: %s: got %q, want %q, as SQL says %+v", c.name, what, got, wanted, c.truth)
	}
}

// join reports whether the client was let in.
func (c *cell) join(presence, allowed bool) bool {
	got := c.client.joinWith(roomA, fmt.Sprintf(`{"private":true,"broadcast":{"ack":true},"presence":{"enabled":%t}}`, presence))
	want := "error Unauthorized: You do not have permissions to read from this Channel topic: " + roomA
	if allowed {
		want = "ok"
	}
	if got != want {
		c.s.t.Errorf("%s: join: got %q, want %q, as SQL says %+v", c.name, got, want, c.truth)
	}
	return got == "ok"
}

// early joins with presence.
func (c *cell) early() {
	rb, rp, _ := of(c.truth.read, true)
	wb, wp, _ := of(c.truth.write, true)
	if !c.join(true, rb || rp) {
		return
	}
	c.check("after the join", c.client.hear(), map[string]bool{"presence_state": rp})
	c.hostSpeaks()
	c.check("the host speaks", c.client.hear(), map[string]bool{"broadcast hello": rb, "presence_diff": rp})
	c.clientSpeaks(wb, wp, rp && wp, wp)
	c.leave()
}

// late joins without presence, and tracks all the same.
func (c *cell) late() {
	rb, _, _ := of(c.truth.read, false)
	if !c.join(false, rb) {
		return
	}
	c.hostSpeaks()
	c.check("without presence the host speaks", c.client.hear(), map[string]bool{"broadcast hello": rb})
	_, rp, failed := of(c.truth.read, true)
	wb, _, _ := of(c.truth.write, false)
	_, wp, _ := of(c.truth.write, true)
	wp = wp && !failed
	c.clientSpeaks(wb, wp, rp && wp, wp)
	c.hostSpeaks()
	c.check("after the track the host speaks", c.client.hear(), map[string]bool{"broadcast hello": rb, "presence_diff": rp})
	c.leave()
}

func (c *cell) hostSpeaks() {
	c.count++
	c.host.push("realtime:"+roomA, "broadcast", "b", `{"type":"broadcast","event":"hello","payload":{}}`)
	c.host.hearUntil("reply b ok")
	c.host.push("realtime:"+roomA, "presence", "t", fmt.Sprintf(`{"event":"track","payload":{"n":%q}}`, fmt.Sprint(c.name, c.count)))
	c.host.hearUntil("reply t ok")
	c.host.hear()
}

// clientSpeaks has the client send and track. The reply to what it says of its
// presence, which always comes, is behind the decision about the broadcast.
func (c *cell) clientSpeaks(sends, tracks, hears, hostHears bool) {
	c.count++
	c.client.push("realtime:"+roomA, "broadcast", "b", `{"type":"broadcast","event":"from client","payload":{}}`)
	c.client.push("realtime:"+roomA, "presence", "u", `{"event":"untrack"}`)
	before, _ := c.client.hearUntil("reply u ok")
	c.check("the client sends", summaries(before), map[string]bool{"reply b ok": sends})
	c.client.push("realtime:"+roomA, "presence", "t", fmt.Sprintf(`{"event":"track","payload":{"n":%d}}`, c.count))
	var got []string
	for !slices.ContainsFunc(got, func(text string) bool { return strings.HasPrefix(text, "reply t ") }) {
		got = append(got, c.client.read().String())
	}
	c.check("the client tracks", append(got, c.client.hear()...), map[string]bool{
		"reply t ok": tracks, "reply t error": !tracks, "presence_diff": hears,
	})
	c.check("the host hears", c.host.hear(), map[string]bool{"broadcast from client": sends, "presence_diff": hostHears})
}

func (c *cell) leave() {
	c.client.push("realtime:"+roomA, "phx_leave", "l", `{}`)
	c.client.hearUntil("phx_close")
	c.client.hear()
	c.host.hear()
}

// rest sends over HTTP. That asks about broadcasts only.
func (c *cell) rest() {
	allowed, _, failed := of(c.truth.write, false)
	want := `403 {"message":"Unauthorized"}`
	switch {
	case failed:
		want = `422 {"message":"RLS policy error"}`
	case allowed:
		want = `202 `
	}
	token := c.s.mint(c.who)
	post := func(want, path, media, body string) {
		status, text := c.s.rest(path, media, body, token, c.who.room)
		if got := fmt.Sprint(status, " ", strings.TrimSpace(text)); got != want {
			c.s.t.Errorf("%s: %s: got %q, want %q, as SQL says %+v", c.name, path, got, want, c.truth)
		}
	}
	post(want, "/api/broadcast/"+roomA+"/events/single?private=true", "application/json", `{"n":1}`)
	post(want, "/api/broadcast/"+roomA+"/events/bytes?private=true", "application/octet-stream", "\x00\xff")
	const message = `{"topic":%q,"event":%q,"payload":{"n":1},"private":%t}`
	post("202 ", "/api/broadcast", "application/json", `{"messages":[`+
		fmt.Sprintf(message, roomA, "first", true)+","+fmt.Sprintf(message, roomA, "public", false)+","+
		fmt.Sprintf(message, "elsewhere", "elsewhere", true)+","+fmt.Sprintf(message, roomA, "second", true)+`]}`)
	c.check("the host hears of REST", c.host.hear(), map[string]bool{
		"cast single": allowed, "cast bytes": allowed, "broadcast first": allowed, "broadcast second": allowed,
	})
}

// TestWhatRESTSaysOfADatabase looks at the statuses that a database is the
// reason for.
func TestWhatRESTSaysOfADatabase(t *testing.T) {
	t.Parallel()
	const today = `to_char(timezone('utc', now()), '"messages_"YYYY"_"MM"_"DD')`
	for name, tt := range map[string]struct {
		sql      string
		settings map[string]any
		token    string // anon's where empty
		want     string
	}{
		"it allows":   {sql: allMayAll, want: `202 `},
		"it does not": {want: `403 {"message":"Unauthorized"}`},
		"a bad token": {sql: allMayAll, token: "x.y.z", want: `401 {"message":"Unauthorized"}`},
		"a policy that is cancelled": {sql: `
			CREATE FUNCTION public.cancel() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT pg_cancel_backend(pg_backend_pid()) AND pg_sleep(3) IS NOT NULL';
			CREATE POLICY "p" ON realtime.messages FOR INSERT TO anon WITH CHECK (public.cancel())`,
			want: `422 {"message":"Query canceled"}`},
		"a partition that is missing, and can be made": {sql: allMayAll +
			`DO $$ BEGIN EXECUTE format('DROP TABLE realtime.%I', ` + today + `); END $$`, want: `202 `},
		"a partition that is missing, and whose name is taken": {sql: allMayAll +
			`DO $$ BEGIN EXECUTE format('ALTER TABLE realtime.messages DETACH PARTITION realtime.%I', ` + today + `); END $$`,
			want: `422 {"message":"Missing messages partition"}`},
		"no more connections": {sql: `
			DO $$ BEGIN CREATE ROLE crowded LOGIN PASSWORD 'x' CONNECTION LIMIT 0; EXCEPTION WHEN duplicate_object THEN END $$`,
			settings: map[string]any{"db_user": "crowded", "db_password": "x"},
			want:     `422 {"message":"Tenant database has too many connections"}`},
		"a wrong password": {settings: map[string]any{"db_user": "supabase_admin", "db_password": "wrong"},
			want: `422 {"message":"Tenant database unavailable"}`},
		"nobody is there": {settings: map[string]any{"db_port": 1}, want: `422 {"message":"Tenant database unavailable"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := postmastertest.Database(t)
			withDatabase(t, dsn, tt.settings, func(s *script) {
				if tt.settings == nil { // then it is prepared by the first that asks
					s.enter("ann", service, "2.0.0").joinWith("t", `{"private":true}`)
				}
				consoleOf(t, dsn).do(cmp.Or(tt.sql, "SELECT"))
				token := cmp.Or(tt.token, s.mint(identity{role: "anon"}))
				status, text := s.rest("/api/broadcast/t/events/e?private=true", "application/json", `{}`, token, "")
				if got := fmt.Sprint(status, " ", strings.TrimSpace(text)); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}
