// Package control is a role's control socket: the Unix socket by which a bed,
// a flow or a trace sees and steers a running role.
//
// Both directions are JSON objects, one a line. A client asks, in order:
//
//	{"op":"ready"}                            answered when the role is ready
//	{"op":"records","after":0,"follow":true}  wire records since the start
//	{"op":"command","line":"status away"}     one command, one answer
//	{"op":"stop"}                             the role's clean end
//
// and the role answers with objects of type "ready", "record", "lost", "end",
// "answer" and "error". Records end with "end": at once without follow, else
// when the role has ended. A connection that ends while it follows gives up
// the stream; any other request that was read is still answered.
package control
