// Package account keeps the books of those who break servers on purpose: what
// was written to a database and said to others, what each client heard of it,
// and whether that is what was promised. internal/chaos and bench/soak call it.
// It owns no goroutine and knows no connection; everybody who writes or hears
// tells it.
package account
