// sink ADDRESS: an SMTP server of Go's go-smtp that accepts and discards all
// mail, with the package's own settings but for a limit of the size.
package main

import (
	"io"
	"log"
	"os"

	"github.com/emersion/go-smtp"
)

type sink struct{}

func (s sink) Login(*smtp.ConnectionState, string, string) (smtp.Session, error) {
	return nil, smtp.ErrAuthUnsupported
}

func (s sink) AnonymousLogin(*smtp.ConnectionState) (smtp.Session, error) {
	return s, nil
}

func (sink) Reset() {}

func (sink) Logout() error { return nil }

func (sink) Mail(string, smtp.MailOptions) error { return nil }

func (sink) Rcpt(string) error { return nil }

func (sink) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func main() {
	s := smtp.NewServer(sink{})
	s.Addr = os.Args[1]
	s.Domain = "mx.example"
	s.MaxMessageBytes = 100 << 20
	log.Fatal(s.ListenAndServe())
}
