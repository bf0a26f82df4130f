"""`make demo`: simulated streets, live perception over DDS, text answers, a picture and figures."""
