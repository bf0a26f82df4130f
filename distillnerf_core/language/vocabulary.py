"""General English words that span the reduced feature space beside the class prompts."""

_WORDS = """
automobile; vehicle; taxi; van; minivan; ambulance; police car; fire truck; lorry; semi truck;
garbage truck; tanker; school bus; coach; minibus; tram; train; subway; scooter; moped; bicycle
rider; cyclist; motorcyclist; rickshaw; wheelchair; stroller; shopping cart; skateboard; segway;
forklift; crane; tractor; cement mixer; road roller; camper; caravan; boat; airplane; helicopter;
drone; person; man; woman; child; worker; police officer; runner; tourist; crowd; driver; passenger;
dog; cat; bird; pigeon; horse; squirrel; street; highway; asphalt; pavement; crosswalk; zebra
crossing; lane marking; parking lot; driveway; intersection; roundabout; bridge; tunnel; curb;
gutter; manhole; pothole; puddle; rail track; bike lane; footpath; stairs; ramp; plaza; gravel;
sand; mud; dirt; snow; ice; water; river; lake; ocean; beach; mountain; hill; field; meadow; forest;
park; garden; playground; oak; pine; palm tree; hedge; shrub; leaves; flower; trunk; branch; ivy;
plant; greenery; foliage; weeds; potted plant; house; apartment; skyscraper; office; shop; store;
restaurant; garage; warehouse; church; school; hospital; hotel; station; factory; shed; tower; roof;
window; door; balcony; chimney; brick; concrete; glass; metal; wood; stone; plastic; scaffolding;
awning; billboard; poster; graffiti; storefront; fence; railing; guardrail; gate; bollard; post;
lamp post; street light; traffic light; traffic signal; street sign; stop sign; speed limit sign;
banner; flag; mailbox; hydrant; bench; trash can; dumpster; bus stop; bus shelter; phone booth;
parking meter; kiosk; statue; fountain; umbrella; table; chair; tent; cable; power line; utility
pole; antenna; barrel; water barrier; construction cone; warning sign; construction site; crate;
pallet; cardboard box; pipe; ladder; tire; wheel; headlight; license plate; windshield; mirror;
luggage; backpack; handbag; hat; helmet; jacket; phone; sky; cloud; sun; moon; fog; rain; shadow;
reflection; night; sunlight; smoke; horizon; banana; apple; bread; pizza; coffee; bottle; cup;
plate; knife; book; pen; paper; computer; keyboard; television; camera; clock; sofa; bed; lamp;
carpet; curtain; shower; toilet; kitchen; piano; guitar; ball; toy; doll; shoe; shirt; ring; money;
letter; medicine; soap; candle; elephant; lion; fish; insect; spider; butterfly; egg; rice; cheese;
cake; wine; music; picture; color; red; blue; green; yellow; white; black; grey; round; square;
long; big; small; old; new; fast; slow; left; right; above; object; thing; stuff; texture; surface;
background; material; line; edge; corner
"""

VOCABULARY: tuple[str, ...] = tuple(" ".join(word.split()) for word in _WORDS.split(";"))
"""About 300 street and everyday words; :class:`FeaturePca` is fitted on them and on the class prompts."""
