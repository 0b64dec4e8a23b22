/** A picture of a run. It is asked for when it is about to be seen; small ones are enlarged pixel by pixel. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Session } from '../data/session.ts';

interface PictureProps {
  readonly session: Session;
  readonly run: string;
  /** Of the blob; null where none was kept. */
  readonly name: string | null;
  readonly alt: string;
  readonly whole?: boolean;
}

export function Picture({ session, run, name, alt, whole = false }: PictureProps) {
  const image = useRef<HTMLImageElement>(null);
  const [url, setUrl] = useState<string>();
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    const element = image.current;
    if (name === null || !element) return;
    let wanted = true;
    setFailed(false);
    const load = () => {
      session.pictures.url({ run, name, whole }).then(
        (found) => wanted && setUrl(found),
        () => wanted && setFailed(true),
      );
    };
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return;
        observer.disconnect();
        load();
      },
      { rootMargin: '400px' },
    );
    observer.observe(element);
    return () => {
      wanted = false;
      observer.disconnect();
    };
  }, [session, run, name, whole]);
  const small = (event: Event) => {
    const { currentTarget } = event;
    if (currentTarget instanceof HTMLImageElement) {
      currentTarget.classList.toggle('pixels', currentTarget.naturalWidth <= 128);
    }
  };
  if (name === null || failed) {
    return (
      <span class="picture none" role="img" aria-label={`${alt}: no picture`}>
        {failed ? 'lost' : 'not kept'}
      </span>
    );
  }
  return (
    <img ref={image} class="picture" src={url} alt={url === undefined ? '' : alt} data-name={name} onLoad={small} />
  );
}
