package pidf

// The types of RFC 4480 and 5196 that list many elements.

func activities() *shape {
	s := rich(timed, true, part{alone: []string{Unknown}, foreign: true, names: words(`appointment away breakfast busy dinner holiday
		in-transit looking-for-work meal meeting on-the-phone performance permanent-absence playing presentation shopping
		sleeping spectator steering travel tv vacation working worship other`)})
	s.many = "activities (available and do-not-disturb are not among them: write them as other)"
	return s
}

func moods() *shape {
	s := rich(timed, true, part{alone: []string{Unknown}, foreign: true, min: 1, names: words(`afraid amazed angry annoyed anxious
		ashamed bored brave calm cold confused contented cranky curious depressed disappointed disgusted distracted embarrassed
		excited flirtatious frustrated grumpy guilty happy hot humbled humiliated hungry hurt impressed in_awe in_love indignant
		interested invincible jealous lonely mean moody nervous neutral offended playful proud relieved remorseful restless sad
		sarcastic serious shocked shy sick sleepy stressed surprised thirsty worried other`)})
	s.many = "moods"
	return s
}

func placeIs() *shape {
	s := rich(timed, true, once("audio", "video", "text")...)
	s.kinds = map[string]string{"note": "note", "audio": "place audio", "video": "place video", "text": "place text"}
	return s
}

// oneOf is a type with one empty element inside.
func oneOf(names string) *shape {
	return &shape{source: "RFC 4480 section 5", of: "empty", parts: []part{{names: words(names), min: 1, max: 1}}}
}

func servcaps() *shape {
	return &shape{source: "RFC 5196 section 6", anyAttr: true, many: "capabilities",
		parts: sequence(once("actor", "application", "audio", "automata", "class", "control", "data"),
			[]part{{names: []string{"description"}}},
			once("duplex", "event-packages", "extensions", "isfocus", "message", "methods", "languages", "priority", "schemes", "text"),
			[]part{{names: []string{"type"}}}, once("video"), foreign),
		of: "boolean",
		kinds: map[string]string{"actor": "actor", "class": "class", "description": "note", "duplex": "duplex",
			"event-packages": "event-packages", "extensions": "extensions", "methods": "methods", "languages": "languages",
			"priority": "priority", "schemes": "schemes", "type": "string"}}
}

// capsLists are the capabilities of RFC 5196 that are lists of words, what is
// supported and what is not.
var capsLists = map[string][]string{
	"actor":    words("attendant information msg-taker principal"),
	"class":    words("business personal"),
	"duplex":   words("full half receive-only send-only"),
	"mobility": words("fixed mobile"),
	"methods":  words("ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE"),
	"event-packages": words(`conference dialog kpml message-summary poc-settings presence reg refer Siemens-RTP-Stats
		spirits-INDPs spirits-user-prof winfo`),
	"extensions": words(`rel100 early-session eventlist from-change gruu hist-info join norefersub path precondition pref privacy
		recipient-list-invite recipient-list-subscribe replaces resource-priority sdp-anat sec-agree tdialog timer`),
}

// typeOf finds the type of an element that stands inside others only.
func typeOf(kind string) *shape {
	const source = "RFC 5196 section 6"
	if s, ok := locals[kind]; ok {
		return s
	}
	if s, ok := richLocals[kind]; ok {
		return s
	}
	if list, ok := capsLists[kind]; ok {
		return supported(&shape{source: source, parts: sequence(once(list...), foreign), of: "string"})
	}
	return &shape{source: source, text: kind} // boolean, string
}

var richLocals = map[string]*shape{
	"place audio": oneOf("noisy ok quiet unknown"),
	"place video": oneOf("toobright ok dark unknown"),
	"place text":  oneOf("uncomfortable inappropriate ok unknown"),
	"languages":   supported(listOf("l")),
	"schemes":     supported(listOf("s")),
	"priority":    supported(priorities()),
	"equals":      bounds("value"),
	"higherhan":   bounds("minvalue"),
	"lowerthan":   bounds("maxvalue"),
	"range":       bounds("minvalue", "maxvalue"),
}

func listOf(name string) *shape {
	return &shape{source: "RFC 5196 section 6", of: "string", parts: []part{{names: []string{name}, min: 1}}}
}

func priorities() *shape {
	var parts []part
	for _, name := range words("equals higherhan lowerthan range") { // as the schema spells them
		parts = append(parts, part{names: []string{name}})
	}
	return &shape{source: "RFC 5196 section 6", parts: sequence(parts, foreign),
		kinds: map[string]string{"equals": "equals", "higherhan": "higherhan", "lowerthan": "lowerthan", "range": "range"}}
}

// supported is a capability that lists what is supported, and what is not.
func supported(list *shape) *shape {
	return &shape{source: "RFC 5196 section 6", parts: once("supported", "notsupported"), each: list}
}

// bounds is an element with required attributes that are whole numbers.
func bounds(attrs ...string) *shape {
	s := &shape{source: "RFC 5196 section 6", attrs: map[string]string{}, needs: attrs}
	for _, a := range attrs {
		s.attrs[a] = "integer"
	}
	return s
}
