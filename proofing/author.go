package proofing

// author is who makes a change, as an entry of the log tells it.
type author struct {
	Actor
	// client is the network address that they came from. It is told in private parts alone.
	client string
	// here: they are at the case's browser, and thereby its person as soon as it has one.
	here bool
}

var byService = author{Actor: ByService}

// operator is who runs a command on the server.
func (s *Service) operator() Actor { return Actor{Kind: ByOperator.Kind, Name: s.Operator} }

func (s *Service) byOperator() author { return author{Actor: s.operator()} }

// byVisitor is whoever visits the case that is changed.
func byVisitor(v Visit) author {
	return author{Actor: Actor{Kind: "person"}, client: v.Client, here: true}
}

// byBearer is somebody who was sent a link, and of whom nothing else is known.
func byBearer() author { return author{Actor: Actor{Kind: "person"}} }

// byPerson is who is signed in.
func byPerson(s *Session, v Visit) author {
	return author{Actor: Actor{Kind: "person", ID: s.Person.ID, Session: s.Case.ID}, client: v.Client}
}

func byAuthority(ca *Authority) author { return author{Actor: Actor{Kind: "ca", ID: ca.Name}} }

// at is the author of a change to a case, by what is known then.
func (a author) at(c *Case) Actor {
	if a.here {
		if a.ID = c.Person; c.Own() {
			a.Session = c.ID
		}
	}
	return a.Actor
}
