package tenant

// Invalid says what is wrong with the fields that a tenant was given: field to
// texts ([]string), and under "extensions" either texts or an Invalid for each
// of them, empty where nothing is wrong. It never holds the value of a field.
type Invalid map[string]any

// Error returns a text for the log.
func (Invalid) Error() string { return "the tenant has invalid fields" }

// add notes a fault of a field, behind those it has.
func (i Invalid) add(field, text string) {
	texts, _ := i[field].([]string)
	i[field] = append(texts, text)
}

// The words of the reference for what is wrong with a field.
const (
	blank    = "can't be blank"
	notValid = "is invalid"
	taken    = "has already been taken"
)
