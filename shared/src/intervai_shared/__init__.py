"""The chassis of InterVAI's services: what two services need, once. It knows nothing of interviews."""
