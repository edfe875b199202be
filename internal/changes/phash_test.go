package changes

import "testing"

// The numbers are what Erlang says, erlang:phash2(Term, 1 bsl 32).
func TestTermsHashAsInErlang(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		json string
		want uint32
	}{
		"zero":                             {`0`, 3175731469},
		"minus zero":                       {`-0`, 3175731469},
		"a small number":                   {`1`, 539485162},
		"a small negative number":          {`-1`, 1117813597},
		"2^20":                             {`1048576`, 1477815345},
		"-2^20":                            {`-1048576`, 3076904293},
		"a number of two words":            {`4294967296`, 2108323275},
		"a negative number of two words":   {`-4294967296`, 2586067094},
		"a number of less than two digits": {`981494972710656`, 1622082818},
		"a number of three words":          {`36893488147419103232`, 2545846594},
		"a negative one":                   {`-36893488147419103232`, 1649047068},
		"a long number":                    {`1606938044258990275541962092341162602522202993782792835301376`, 2573322433},
		"a float of nothing":               {`0.0`, 423528920},
		"a float of less than nothing":     {`-0.0`, 423528920},
		"a float":                          {`3.14`, 3731709215},
		"a negative float":                 {`-3.14`, 1827518724},
		"an empty string":                  {`""`, 147926629},
		"a byte of zero":                   {`"\u0000"`, 2914887855},
		"a short string":                   {`"abc"`, 1306188027},
		"a long string":                    {`"12345678901234567890"`, 3021061640},
		"an empty list":                    {`[]`, 3468870702},
		"a list of a float":                {`[0.0]`, 167906877},
		"a list of an empty string":        {`[""]`, 440873397},
		"a list of a list":                 {`[[]]`, 499070068},
		"a list of three bytes":            {`[97,98,99]`, 519996486},
		"a list with a larger number":      {`[97,98,99,1009]`, 290369864},
		"a list with one in the middle":    {`[97,98,99,1009,100,101]`, 4134369195},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h termHash
			h.term(decodeTerm([]byte(tt.json)))
			if uint32(h) != tt.want {
				t.Errorf("%s: %d, want %d", tt.json, h, tt.want)
			}
		})
	}
	var h termHash
	if h.atom("abc"); h != 26499 {
		t.Errorf("abc: %d", h)
	}
	var pair, other, mapping termHash
	pair.atom("a")
	pair.small(1)
	mapping.pairs(1, pair)
	if mapping&(1<<27-1) != 59617982 {
		t.Errorf("a => 1: %d", mapping&(1<<27-1))
	}
	other.term(decodeTerm([]byte(`[107,101,121]`)))
	other.binary("value")
	mapping = 0
	if mapping.pairs(2, pair^other); mapping&(1<<27-1) != 70249457 {
		t.Errorf(`a => 1, "key" => value: %d`, mapping&(1<<27-1))
	}
	if id := ID([]byte(`{}`)); id != 39679005 {
		t.Errorf("an empty map: %d", id)
	}
}

func TestAnIDDoesNotDependOnTheOrderOfKeys(t *testing.T) {
	t.Parallel()
	a, b := ID([]byte(`{"event":"*","schema":"public","x":{"a":1,"b":null}}`)), ID([]byte(` {"x":{"b":null,"a":1},"schema":"public","event":"\u002a"} `))
	if a != b || a == 0 || a >= 1<<27 {
		t.Errorf("%d and %d", a, b)
	}
	if c := ID([]byte(`{"event":"*","schema":"public","x":{"a":1,"b":false}}`)); c == a {
		t.Error("another object has the same id")
	}
}
