"""How columns of a log are called: the names that public data sets and shops give them."""

import re

# Names without capitals, blanks and marks, in tiers: one of an earlier tier is taken before one of
# a later tier, and two of one tier leave the question open.
NAMES: dict[str, tuple[str, ...]] = {
    "user": (
        """
        userid userpseudoid uid reviewerid customerid custid visitorid fullvisitorid memberid msno
        accountid clientid personid playerid readerid listenerid buyerid shopperid patronid
        profileid subscriberid householdid householdkey household userhash usersha1 usersha
        usermboxsha1 usersid useridx userindex usernumber raterid voterid viewerid steamid
        panelistid guestid deviceid borrowerid studentid learnerid authorsteamid
        """,
        """
        user users reviewer customer visitor member account client person player reader
        listener buyer shopper patron profile subscriber rater voter viewer critic judge guest
        device borrower student learner panelist
        """,
        """
        username usersname reviewprofilename profilename login nickname customername
        reviewername
        """,
        "sessionid session visitid",
    ),
    "item": (
        """
        itemid iid movieid filmid bookid isbn isbn13 isbn10 asin productid prodid sku skuid
        stockcode articleid artistid artistmbid artmbid artid musicbrainzartistid trackid
        trackuri songid animeid mangaid gameid bggid businessid venueid poiid locationid
        placeid gmapid recipeid beerid beerbeerid jokeid showid newsid documentid docid repoid
        courseid appid contentid videoid photoid adid hotelid restaurantid wineid listingid
        offerid propertyid podcastid episodeid albumid playlistid jobid itemidx itemindex
        itemnumber workid productcode materialid dishid menuitemid mid parentasin
        """,
        """
        item items movie film book product article artist track song anime manga game business
        venue poi place recipe beer joke show news document course app content video hotel
        restaurant wine listing offer podcast album playlist job work
        """,
    ),
    "rating": (
        """
        rating ratings overall score scores star stars bookrating movierating userrating
        starrating reviewoverall reviewrating reviewscore reviewstars grade vote myrating myscore
        ratingvalue ratingscore starsrating
        """,
    ),
    "weight": (
        """
        weight weights playcount playcounts plays nplays numplays listencount listens
        interactioncount watchratio timesplayed purchasecount clickcount viewcount
        """,
        """
        count counts cnt quantity qty freq frequency hours hoursplayed playtime
        playtimeforever clicks views purchases listeningcount
        """,
    ),
    "time": (
        """
        timestamp ts unixreviewtime unixtime timestampms timestamps eventtimestamp
        unixtimestamp reviewunixtime epoch ratingtimestamp
        """,
        """
        datetime eventtime createdat created ratedat reviewtime invoicedate orderdate
        purchasedate transactiondate reviewdate ratingdate tdat utctime updatedat watchedat
        playedat listenedat eventdate createdtime createdate creationdate datecreated
        dateadded submitdate submitted timedate visittime clicktime actiontime
        """,
        "time date day",
    ),
    "event": (
        """
        event eventtype eventname action actiontype behavior behaviour behaviortype
        behaviourtype interaction interactiontype activity activitytype feedbacktype
        behaviorname
        """,
    ),
    "title": (
        """
        title movietitle booktitle producttitle itemtitle filmtitle songtitle animetitle
        gametitle booktitles
        """,
        """
        name itemname productname artistname artname musicbrainzartistname trackname songname
        animename gamename beername moviename filmname bookname recipename businessname
        description productdescription
        """,
    ),
}
SPELLINGS = {role: [tier.split() for tier in tiers] for role, tiers in NAMES.items()}
# What "value" and its kin hold is seen from the values.
VALUE_NAMES = ("value", "values", "val", "amount", "n", "strength", "y", "target", "label")
_TYPED = re.compile(r":(token|float|token_seq|float_seq)\Z")  # as RecBole writes its headers


def plain_name(name: str) -> str:
    """A name of a column without capitals, blanks and marks.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> plain_name("User-ID"), plain_name("user_id:token"), plain_name("beer/beerId")
    ('userid', 'userid', 'beerbeerid')
    """
    return re.sub(r"[\W_]+", "", _TYPED.sub("", name.strip()).casefold())


def tier_of(name: str, role: str) -> int | None:
    """How surely a column of this name plays a role: 0 is surest; None if it does not.

    Parameters
    ----------
    name : str
    role : str
        A key of ``SPELLINGS``.

    Returns
    -------
    int or None

    Examples
    --------
    >>> tier_of("movieId", "item"), tier_of("movie", "item"), tier_of("genre", "item")
    (0, 1, None)
    """
    plain = plain_name(name)
    for tier, names in enumerate(SPELLINGS[role]):
        if plain in names:
            return tier
    return None


def is_known(name: str) -> bool:
    """Whether a column of this name plays any role.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_known("userId"), is_known("Heat (1995)")
    (True, False)
    """
    return any(tier_of(name, role) is not None for role in SPELLINGS)
