// Package tutti holds the words that more than one room of the server needs:
// topic, message, tenant, claims, error. It does no I/O and imports the
// standard library only, so that an extension can live in another repository
// and import nothing but this.
package tutti
