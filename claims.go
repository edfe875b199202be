package tutti

import "encoding/json"

// Claims is what a verified token says about its bearer.
type Claims struct {
	Role    string          // claim "role"; "" when it is not a string
	Subject string          // claim "sub"; "" when absent
	Expires int64           // claim "exp" in Unix seconds, rounded; 0 when absent
	Raw     json.RawMessage // all claims, as they stood in the token
}
