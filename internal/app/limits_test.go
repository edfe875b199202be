package app

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

const joined = `{"status":"ok","response":{"postgres_changes":[]}}`

func TestTooManyJoinsKillTheSocketAfterTheTick(t *testing.T) {
	var s strings.Builder
	s.WriteString("tenant max_joins_per_second: 2\nann connect\nbob connect\n")
	for i := 1; i <= 30; i++ {
		fmt.Fprintf(&s, "ann> [%d,%d,\"realtime:a\",\"phx_join\",{\"config\":{}}]\n", i, i)
		fmt.Fprintf(&s, "ann< [%d,%d,\"realtime:a\",\"phx_reply\",%s]\n", i, i, joined)
		if i > 1 {
			fmt.Fprintf(&s, "ann< [%d,%d,\"realtime:a\",\"phx_close\",{}]\n", i-1, i-1)
		}
	}
	s.WriteString(`wait 6s
ann silent
ann> ["x","x","realtime:b","phx_join",{"config":{}}]
wait 6s
ann< ["x","x","realtime:b","phx_reply",{"status":"error","response":{"reason":"ClientJoinRateLimitReached: Too many joins per second"}}]
ann closed 1001
bob silent
cid refused 429 {"error":"Too many joins per second"}
`)
	synctest.Test(t, func(t *testing.T) { converse(t, s.String(), pipes()) })
}

func TestManyChannelsOnOneSocketKeepTheirNames(t *testing.T) {
	var s strings.Builder
	s.WriteString("ann connect\n")
	for i := range 40 {
		fmt.Fprintf(&s, "ann> [%d,%d,\"realtime:t%d\",\"phx_join\",{\"config\":{\"broadcast\":{\"ack\":true}}}]\n", i, i, i)
		fmt.Fprintf(&s, "ann< [%d,%d,\"realtime:t%d\",\"phx_reply\",%s]\n", i, i, i, joined)
	}
	for i := 0; i < 40; i += 2 { // an index came with the ninth; it must follow what leaves
		fmt.Fprintf(&s, "ann> [%d,\"l\",\"realtime:t%d\",\"phx_leave\",{}]\n", i, i)
		fmt.Fprintf(&s, "ann< [%d,\"l\",\"realtime:t%d\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]\n", i, i)
		fmt.Fprintf(&s, "ann< [%d,%d,\"realtime:t%d\",\"phx_close\",{}]\n", i, i, i)
	}
	for i := range 40 {
		fmt.Fprintf(&s, "ann> [%d,\"b\",\"realtime:t%d\",\"broadcast\",{}]\n", i, i)
		if i%2 == 0 {
			fmt.Fprintf(&s, "ann< [null,\"b\",\"realtime:t%d\",\"phx_reply\",{\"status\":\"error\",\"response\":{\"reason\":\"unmatched topic\"}}]\n", i)
		} else {
			fmt.Fprintf(&s, "ann< [%d,\"b\",\"realtime:t%d\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]\n", i, i)
		}
	}
	synctest.Test(t, func(t *testing.T) { converse(t, s.String(), pipes()) })
	t.Run("tcp", func(t *testing.T) { converse(t, s.String(), tcp(t)) })
}
